"""Write what is derived from the code: the JSON Schema and the pages of documents, errors, commands and metrics.

Usage: .venv/bin/python -m tools.generate_docs [--check]

With --check nothing is written; the exit code is 1 when a file is not current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tools.commands_page import commands_page
from tools.error_page import error_page
from tools.metrics_page import metrics_page
from tools.provider_errors_page import provider_errors_page
from video_production.pipelines import provider_limits as limits
from video_production.pipelines.documents import PipelineDocument, StorageConfig
from video_production.pipelines.examples import EXAMPLES
from video_production.pipelines.messages import value_range
from video_production.pipelines.node_base import Asset, NodeModel
from video_production.pipelines.node_types import NODE_TYPES, NodeType, PronunciationDictionary
from video_production.pipelines.schema import SCHEMA_PATH, schema_text
from video_production.settings import LOCAL_BUCKET

ROOT = Path(__file__).resolve().parent.parent
PAGE_PATH = ROOT / "docs" / "pipeline-documents.md"
COMMANDS_PATH = ROOT / "docs" / "commands.md"
ERRORS_PATH = ROOT / "docs" / "errors.md"
PROVIDER_ERRORS_PATH = ROOT / "docs" / "provider-errors.md"
METRICS_PATH = ROOT / "docs" / "metrics.md"

_HEAD = """\
# Pipeline documents

A pipeline document is one YAML or JSON file that describes a whole video: the scripts, pictures and clips it starts
from, and every step that is made from them. `./jiki-video validate FILE` says everything that is wrong with one, at
once; `./jiki-video produce FILE` makes the video; `./jiki-video new NAME` writes a document to start from.

This page and [the JSON Schema](../video_production/pipelines/pipeline.schema.json) are generated from the models
(`.venv/bin/python -m tools.generate_docs`). Editors that know JSON Schema complete and check a document whose first
line names it: `# yaml-language-server: $schema=…/pipeline.schema.json`, or the key `$schema`.

## A whole document

"""

_EXAMPLE = {
    "id": "hello",
    "title": "Hello",
    "nodes": [
        {"id": "script", "type": "asset", "asset": {"type": "text", "content": "Hello, and welcome."}},
        {"id": "slide", "type": "asset", "asset": {"type": "image", "source": "slides/hello.png"}},
        {**EXAMPLES["generate-voiceover"], "id": "voice", "inputs": {"script": "script"}},
        {"id": "scene", "type": "mix-audio", "inputs": {"video": "slide", "audio": "voice"}},
    ],
}

_RULES = f"""\
## Rules

- Every node has its own `id`. Nodes name each other by id under `inputs`; the order of the list does not matter.
- An input for one node takes `id` or `[id]`; an input for several takes an ordered list.
- What a node makes must fit where it goes: audio into audio, video into video.
- Nodes can't feed each other in a circle, and exactly one node, the finished video, is used by no other.
- Nothing that decides the bill is chosen for you: voice, voice model, avatar and length are always written down. An
  animation's model is the one that this page names, until `model` names another.
- Paths start at the document's folder. `s3://` and `https://` URLs are taken as they are; what is behind them is
  looked at when the video is made.
- Keys that a type does not have are mistakes, and so is the same key twice. In YAML, `yes`, `no`, `on` and `off` are
  booleans; ratios (`16:9`), times and dates stay text.
- Without `config.storage.bucket` media go to `{LOCAL_BUCKET}`.
- Documents written by the Rails app are read as they are: `uuid` as `id`, `url` as `source`, the asset type `script`
  as `text`. A node's state (`status`, `metadata`, `output`, `is_valid`, `validation_errors`), the pipeline's `metadata`
  and `config.workingDirectory` are read past. Write `id`, `source` and `text` in your own.

"""


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 1
    stale = [path for path, text in generated().items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        if arguments:
            print(f"{path.relative_to(ROOT)} is not current; run .venv/bin/python -m tools.generate_docs")
        else:
            path.write_text(generated()[path], "utf-8")
            print(f"wrote {path.relative_to(ROOT)}")
    return 1 if arguments and stale else 0


def generated() -> dict[Path, str]:
    """Every generated file with its text."""
    return {
        SCHEMA_PATH: schema_text(),
        PAGE_PATH: page(),
        ERRORS_PATH: error_page(),
        PROVIDER_ERRORS_PATH: provider_errors_page(),
        COMMANDS_PATH: commands_page(),
        METRICS_PATH: metrics_page(),
    }


def page() -> str:
    """The reference page of pipeline documents."""
    parts = [_HEAD, _yaml(_EXAMPLE), "\n", _RULES, "## The document\n\n"]
    parts += [_fields(PipelineDocument), "\nUnder `config.storage`:\n\n", _fields(StorageConfig)]
    parts += [
        "\n## Every node\n\n",
        _fields(NodeModel),
        "| `type` | one of the types below | **required** | What it is. |\n",
    ]
    parts += ["| `inputs` | mapping | | Which nodes it is made from. |\n| `config` | mapping | | How it is made. |\n"]
    parts += ["\n## Node types\n\n", _overview()]
    parts += [_section(kind) for kind in NODE_TYPES.values()]
    return "".join(parts)


def _overview() -> str:
    rows = ["| type | what it is | makes | can be made now |\n|---|---|---|---|\n"]
    for kind in NODE_TYPES.values():
        made = kind.makes or "what it is"
        now = ("–" if not kind.makes else ", ".join(kind.makeable)) if kind.makeable else "not yet"
        rows.append(f"| [`{kind.name}`](#{kind.name}) | {kind.model.__doc__} | {made} | {now} |\n")
    return "".join(rows)


def _section(kind: NodeType) -> str:
    parts = [f"\n### {kind.name}\n\n{kind.model.__doc__}"]
    if not kind.makeable:
        parts.append(" It can be described, but not made yet: a document with such a node is refused.")
    parts.append("\n\n" + _yaml([dict(EXAMPLES[kind.name])]))
    if kind.name == "asset":
        return "".join([*parts, "\nUnder `asset`:\n\n", _fields(Asset)])
    parts.append("\n| input | takes | | meaning |\n|---|---|---|---|\n")
    for slot in kind.slots.values():
        takes = (f"{slot.minimum} or more: " if slot.many else "") + " or ".join(slot.accepts)
        parts.append(
            f"| `{slot.name}` | {takes} | {'**required**' if slot.required else 'optional'} | {slot.description} |\n"
        )
    for provider, config in kind.configs.items():
        where = f" for {provider}" if len(kind.configs) > 1 else ""
        parts += [f"\nUnder `config`{where}:\n\n", _fields(config)]
    if kind.name == "generate-voiceover":
        parts += ["\nEach of `pronunciationDictionaries`:\n\n", _fields(PronunciationDictionary), _voice_models()]
    return "".join(parts)


_LONG_SCRIPTS = f"""
A script that is longer than one request of its model speaks is cut at paragraphs and sentences and spoken in parts of
at most 4,000 characters, one after another; the sound is joined as it is (MP3 and WAV, not Opus). Each part is kept on
its own: after an edit only the parts that changed are made and paid again. One voiceover speaks at most
{limits.LONGEST_SCRIPT:,} characters.
"""


def _voice_models() -> str:
    rows = [_LONG_SCRIPTS, "\n| modelId | one request | `language` | `speed` |\n|---|---|---|---|\n"]
    languages = {"chosen": "obeyed", "refused": "not accepted; the model finds it", "english": "English only"}
    for name, model in limits.VOICE_MODELS.items():
        speed = "yes" if model.speed else "not accepted"
        rows.append(f"| `{name}` | {model.characters:,} characters | {languages[model.language]} | {speed} |\n")
    return "".join(rows)


def _fields(model: type[BaseModel]) -> str:
    rows = ["| key | value | default | meaning |\n|---|---|---|---|\n"]
    for field in model.model_fields.values():
        value = " ".join(part for part in (_type(field.annotation), value_range(field)) if part)
        rows.append(f"| `{field.alias}` | {value} | {_default(field)} | {field.description} |\n")
    return "".join(rows)


def _type(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{option}`" for option in get_args(annotation))
    if get_origin(annotation) in (Union, UnionType):
        return " or ".join(_type(option) for option in get_args(annotation) if option is not type(None))
    if get_origin(annotation) is list:
        return "list"
    names = {str: "text", bool: "`true`, `false`", int: "whole number", float: "number", Any: "any value"}
    return names.get(annotation, "mapping")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    if field.default in (None, "", PydanticUndefined) or isinstance(field.default, BaseModel):
        return ""
    shown = f"{field.default:g}" if isinstance(field.default, float) else json.dumps(field.default).strip('"')
    return f"`{shown}`"


def _yaml(data: Any) -> str:
    text = yaml.safe_dump(json.loads(json.dumps(data)), sort_keys=False, default_flow_style=None, width=100)
    return f"```yaml\n{text}```\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
