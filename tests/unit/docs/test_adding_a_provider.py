"""The page about adding a provider: what it adds works in a copy of the tree, and its list of files is complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from video_production.settings import PROVIDER_FACTS

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "adding-a-provider.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REFERENCE = "runway"
MADE = ("build", "cdk.out", "node_modules")
WRITTEN = (".json", ".md", ".py", ".rb", ".sh", ".toml", ".txt", ".yaml", ".yml", "")
ASIDE = re.compile(r"^(tests/|docs/|benchmarks/|examples/|requirements/|README\.md$)")
"""Tests and pages speak of providers; they don't make one."""


def table(heading: str) -> list[str]:
    """The paths in the first column of the table below a line."""
    rows = PAGE.split(heading, 1)[1].split("\n\n", 2)[1].splitlines()[2:]
    return [path for row in rows for path in re.findall(r"`([^`]+)`", row.split("|")[1])]


def sources() -> Iterator[str]:
    """The paths of everything that people write here, except what is hidden or made by tools."""
    for entry in ROOT.iterdir():
        if entry.name.startswith(".") or entry.name in MADE:
            continue
        files = entry.rglob("*") if entry.is_dir() else [entry]
        yield from (str(path.relative_to(ROOT)) for path in files if path.is_file() and path.suffix in WRITTEN)


def naming(provider: str) -> set[str]:
    """The files of the product that name a provider, its own apart."""
    own = re.compile(rf"^(video_production/providers/{provider}|stand_ins/{provider}|functions/{provider}_\w+)/")
    return {
        name
        for name in sources()
        if not own.match(name) and not ASIDE.match(name) and provider in _text(ROOT / name).lower()
    }


def test_the_files_that_a_provider_touches_are_counted() -> None:
    """Runway needs least: it sends no webhooks."""
    changed = table("Changed, one place in each:")
    assert sorted(naming("runway")) == sorted(changed)
    assert len(changed) == 13


def test_a_provider_with_webhooks_touches_these_besides() -> None:
    besides = {path.replace("acme", "heygen") for path in table("With webhooks, besides:")}
    assert len(besides) == 3
    touched = naming("heygen") - SPOKEN_OF - set(table("Changed, one place in each:"))
    assert touched == besides


SPOKEN_OF = {
    "stand_ins/transcripts.py",
    "tools/provider_errors_page.py",
    "video_production/pipelines/examples.py",
    "video_production/providers/prices.py",
}
"""Files that take HeyGen as an example, or help its stand-in alone."""


def test_the_rest_of_the_product_knows_no_provider_by_its_name() -> None:
    """The money protocol, the scheduler, the tables and the stacks loop over the facts."""
    for folder in ("video_production/takes", "video_production/nodes", "video_production/scheduling", "stacks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            assert REFERENCE not in _text(path).lower(), path


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tree in which the page was followed to the letter."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("video_production", "functions", "workflows"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "cdk.json", copy)
    blocks: dict[str, str] = {}
    for _, kind, content in BLOCK.findall(PAGE):
        name = kind.removeprefix("file=")
        if name == kind:
            blocks[kind] = content
        else:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_text(content, encoding="utf-8")
    _insert(copy / "video_production/provider_facts.py", ")\nPROVIDER_FACTS = ", blocks["facts"])
    types = copy / "video_production/pipelines/node_types.py"
    _insert(types, "class AnimationNode(", blocks["config"] + "\n\n")
    _replace(types, "VeoConfig | RunwayConfig", "VeoConfig | RunwayConfig | AcmeConfig")
    _replace(types, '("veo3", "runway")', '("veo3", "runway", "acme")')
    _change(copy / "video_production/providers/prices.json", ["providers"], "acme", blocks["prices"])
    machine = copy / "workflows/node.asl.json"
    _change(machine, ["States", "Who makes it?", "Choices"], None, blocks["choice"])
    _change(machine, ["States"], "Acme", blocks["state"])
    for environment in ("development", "staging", "production"):
        path = ["context", "environments", environment, "providers"]
        _change(copy / "cdk.json", path, "acme", blocks["environment"])
    return copy


def _insert(path: Path, before: str, text: str) -> None:
    _replace(path, before, text + before)


def _replace(path: Path, old: str, new: str) -> None:
    content = path.read_text(encoding="utf-8")
    assert content.count(old) == 1, f"{path.name} has changed: '{old}'"
    path.write_text(content.replace(old, new), encoding="utf-8")


def _change(path: Path, steps: list[str], key: str | None, block: str) -> None:
    """Add a block to a JSON file: under a key of an object, or at the end of a list."""
    content = json.loads(path.read_text(encoding="utf-8"))
    place: Any = content
    for step in steps:
        place = place[step]
    if key is None:
        place.append(json.loads(block))
    else:
        place[key] = json.loads(block)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def run(tree: Path, script: str) -> str:
    """Run Python in the copy, with the packages of this environment."""
    environment = {"PYTHONPATH": str(tree), "JIKI_ENVIRONMENT": "local", "AWS_DEFAULT_REGION": "us-east-1", "PATH": ""}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_new_provider_has_roles_a_secret_and_settings(tree: Path) -> None:
    script = """
from video_production.settings import PROVIDERS, ROLES, FunctionSettings
assert PROVIDERS[-1] == "acme", PROVIDERS
assert {"acme_submitter", "acme_poller"} <= set(ROLES)
settings = FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "staging", "ACME_MAX_JOBS": "7"}).provider("acme")
assert (settings.secret, settings.max_jobs, settings.poll_interval) == ("jiki-video/staging/acme", 7, 10)
from functions.acme_submitter.handler import handler
from functions.acme_poller.handler import handler
"""
    run(tree, script)


def test_documents_may_name_it(tree: Path, tmp_path: Path) -> None:
    words = {"id": "words", "type": "asset", "asset": {"type": "text", "content": "A robot waters a plant."}}
    clip = {"id": "clip", "type": "generate-animation", "inputs": {"prompt": "words"}}
    for seconds in (12, 13):
        config = {"provider": "acme", "duration": seconds}
        document = {"id": "x", "title": "X", "nodes": [words, clip | {"config": config}]}
        (tmp_path / f"{seconds}.json").write_text(json.dumps(document), encoding="utf-8")
    script = f"""
from pathlib import Path
from video_production.errors import DocumentError
from video_production.pipelines.documents import load_document
from video_production.pipelines.validation import validate_document
folder = Path({str(tmp_path)!r})
assert validate_document(load_document(folder / "12.json"), folder) == []
try:
    print(validate_document(load_document(folder / "13.json"), folder))
except DocumentError as error:
    print(error)
"""
    assert "from 1 to 12" in run(tree, script)


def test_its_module_buys_a_clip_from_a_scripted_acme(tree: Path) -> None:
    """One request, one look, one download; every outcome of the paid request as the money protocol wants it."""
    script = """
import json, sys
from video_production.errors import ProviderAmbiguous, ProviderJobFailed, ProviderRefused
from video_production.providers.exchange import Answer
from video_production.providers.http import ProviderHttp
from video_production.providers.interface import Attempt, Destination, GenerationRequest, InputContent, Unknown
from video_production.providers.registry import provider_class

class Scripted(ProviderHttp):
    def _exchange(self, call, budget):
        status, body = answers.pop(0)
        asked.append((call.method, call.url, call.body))
        return Answer(status, {}, json.dumps(body).encode())

class Key:
    name = "the-secret"
    def read(self): return "key"

asked, answers = [], []
acme = provider_class("acme")(Key(), None, base_url="https://acme", http=Scripted("acme", "Acme", sleep=lambda s: None))
config = acme.effective_config("generate-animation", {"duration": 4})
request = GenerationRequest("generate-animation", config, {"prompt": (InputContent("text", "0", "A cat."),)})
attempt = Attempt("a", acme.way(request), 0.0, request, Destination("bucket", "takes/"))
assert acme.parts(request) == (request,)
assert acme.price(request).usd == 0.4
answers[:] = [(200, {"id": "c1"})]
assert acme.submit(attempt).external_id == "c1"
assert asked == [("POST", "https://acme/clips", {"prompt": "A cat.", "seconds": 4})]
outcomes = {400: ProviderRefused, 429: ProviderRefused, 500: ProviderAmbiguous, 200: ProviderAmbiguous}
for status, kind in outcomes.items():
    answers[:] = [(status, {})]
    try:
        acme.submit(attempt)
    except kind as error:
        assert getattr(error, "retry_after", None) is None or status == 429
    else:
        sys.exit(f"{status} raised nothing")
answers[:] = [(200, {"status": "rendering"}), (200, {"status": "done", "url": "https://x"}), (404, {})]
assert (acme.check("c1").word, acme.check("c1").result) == ("rendering", {"url": "https://x"})
try:
    acme.check("c1")
except ProviderJobFailed as error:
    assert error.http_status == 404
answers[:] = [(200, {"status": "failed", "code": "render", "message": "no light"})]
assert acme.check("c1").failure == "Acme failed to render the animation (no light); retry. Nothing was charged."
assert isinstance(acme.find(attempt, ()), Unknown)
"""
    run(tree, script)


def test_the_node_machine_calls_it_and_every_environment_sets_it(tree: Path) -> None:
    machine = json.loads((tree / "workflows/node.asl.json").read_text(encoding="utf-8"))
    states = machine["States"]
    (choice,) = [one for one in states["Who makes it?"]["Choices"] if one["Next"] == "Acme"]
    (other,) = [one for one in states["Who makes it?"]["Choices"] if one["Next"] == "Runway"]
    assert json.dumps(choice) == json.dumps(other).replace("runway", "acme").replace("Runway", "Acme")
    assert json.dumps(states["Acme"]) == json.dumps(states["Runway"]).replace("Runway", "Acme")
    for environment in json.loads((tree / "cdk.json").read_text(encoding="utf-8"))["context"]["environments"].values():
        usual = environment["providers"]["runway"].keys() - set(PROVIDER_FACTS["runway"].options)
        assert environment["providers"]["acme"].keys() == usual


@pytest.mark.parametrize("heading", ["New, and the provider's own:", "Changed, one place in each:"])
def test_every_file_that_is_listed_exists_for_the_reference(heading: str) -> None:
    for path in table(heading):
        assert (ROOT / path.replace("acme", REFERENCE)).exists(), path
