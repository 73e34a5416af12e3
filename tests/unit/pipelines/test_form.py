"""The form of documents: what is accepted, and the sentence for everything that is not."""

# ruff: noqa: E501  a table of sentences is read line by line

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest

from tests.unit.pipelines.conftest import VOICE, node
from video_production.pipelines.documents import PipelineDocument
from video_production.pipelines.node_types import NODE_TYPES
from video_production.pipelines.provider_limits import SETTINGS, VOICE_MODELS

Problems = Callable[[dict[str, Any]], list[str]]
Data = dict[str, Any]

TYPES = (
    "The types are 'asset', 'generate-voiceover', 'generate-talking-head', 'generate-animation', 'render-code', "
    "'mix-audio', 'merge-videos' and 'compose-video'."
)


def test_a_right_document_has_no_problems(lesson: Data, problems: Problems) -> None:
    assert problems(lesson) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("stability", 1.01, "must be from 0 to 1, but is 1.01."),
        ("stability", -1, "must be from 0 to 1, but is -1."),
        ("stability", "0.5", "must be a number, but is the text '0.5'. Remove the quotes."),
        ("stability", "0,5", "must be a number, but is the text '0,5'. Write 0.5."),
        ("stability", True, "must be a number, but is true."),
        ("similarityBoost", 75, "must be from 0 to 1, but is 75."),
        ("speed", 0.5, "must be from 0.7 to 1.2, but is 0.5."),
        ("speed", [1], "must be a number, but is a list."),
        ("captions", "yes", "must be true or false, but is the text 'yes'. Remove the quotes."),
        ("captions", 1, "must be true or false, but is the number 1."),
        (
            "language",
            False,
            "must be text, but YAML reads yes, no, on and off without quotes as true or false. Put it in quotes.",
        ),
        (
            "language",
            "en-GB",
            "'en-GB' does not fit. Two letters (ISO 639-1) such as 'en'. Found by the model when left out.",
        ),
        ("voiceId", 12, "must be text, but is the number 12. Put it in quotes."),
        ("voiceId", "", "'' does not fit. The voice: the id that ElevenLabs shows for it. Never chosen for you."),
        ("voiceId", "a/b", "'a/b' does not fit. The voice: the id that ElevenLabs shows for it. Never chosen for you."),
        ("provider", "heygen", "'heygen' does not make generate-voiceover. Use 'elevenlabs'."),
        (
            "modelId",
            "eleven_multilingual_v1",
            "ElevenLabs removed eleven_multilingual_v1 on 2026-07-09. Use 'eleven_multilingual_v2'.",
        ),
        (
            "modelId",
            "eleven_flash",
            "'eleven_flash' is not possible here; did you mean 'eleven_flash_v2'? Use 'eleven_multilingual_v2', "
            "'eleven_flash_v2_5', 'eleven_flash_v2', 'eleven_v3', 'eleven_v4', 'eleven_v4_turbo', 'eleven_turbo_v2_5' "
            "or 'eleven_turbo_v2'.",
        ),
        ("voice_id", "x", "'voice_id' is not a setting of generate-voiceover; did you mean 'voiceId'?"),
        ("script", "text", "'script' is in the wrong place: it belongs under 'inputs'."),
        (
            "pitch",
            3,
            "'pitch' is not a setting of generate-voiceover. Known: 'provider', 'voiceId', 'modelId', 'stability', "
            "'similarityBoost', 'speed', 'language', 'outputFormat', 'captions', 'pronunciationDictionaries' and 'take'.",
        ),
    ],
)
def test_settings_of_a_voiceover(lesson: Data, problems: Problems, key: str, value: Any, message: str) -> None:
    node(lesson, "voice")["config"] = VOICE | {key: value}
    assert problems(lesson) == [f"nodes.voice.config.{key}: {message}"]


@pytest.mark.parametrize("key", ["provider", "voiceId", "modelId"])
def test_nothing_that_is_paid_for_has_a_default(lesson: Data, problems: Problems, key: str) -> None:
    meanings = {
        "provider": "Who makes it.",
        "voiceId": "The voice: the id that ElevenLabs shows for it. Never chosen for you.",
        "modelId": "The speech model; it decides price and quality. Never chosen for you.",
    }
    node(lesson, "voice")["config"] = {name: value for name, value in VOICE.items() if name != key}
    assert problems(lesson) == [f"nodes.voice.config.{key}: '{key}' is missing. {meanings[key]}"]


def test_a_voiceover_without_config_hears_of_each_missing_setting(lesson: Data, problems: Problems) -> None:
    del node(lesson, "voice")["config"]
    assert [line.split(":")[0] for line in problems(lesson)] == [
        "nodes.voice.config.provider",
        "nodes.voice.config.voiceId",
        "nodes.voice.config.modelId",
    ]


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"modelId": "eleven_multilingual_v2", "language": "de"},
            "language: eleven_multilingual_v2 finds the language itself. Remove 'language' or choose another modelId.",
        ),
        (
            {"modelId": "eleven_flash_v2", "language": "de"},
            "language: eleven_flash_v2 speaks only English. Choose another modelId for 'de'.",
        ),
        (
            {"modelId": "eleven_v4", "speed": 1.1},
            "speed: eleven_v4 has no 'speed' setting. Remove it or choose another modelId.",
        ),
    ],
)
def test_settings_that_a_model_does_not_take(lesson: Data, problems: Problems, settings: Data, line: str) -> None:
    node(lesson, "voice")["config"] = VOICE | settings
    assert problems(lesson) == [f"nodes.voice.config.{line}"]


@pytest.mark.parametrize(
    "settings",
    [
        {"modelId": "eleven_flash_v2", "language": "en"},
        {"modelId": "eleven_v3", "language": "de", "captions": True, "outputFormat": "pcm_44100"},
        {"stability": 0, "similarityBoost": 1, "speed": 0.7},
        {"speed": 1.2, "outputFormat": "mp3_44100_192"},
        {"stability": None},
    ],
)
def test_settings_at_their_limits_are_fine(lesson: Data, problems: Problems, settings: Data) -> None:
    node(lesson, "voice")["config"] = VOICE | settings
    assert problems(lesson) == []


@pytest.mark.parametrize(
    ("id", "key", "value", "message"),
    [
        ("intro", "volume", 50, "must be from 0 to 10, but is 50."),
        ("intro", "volume", -0.1, "must be from 0 to 10, but is -0.1."),
        ("intro", "mode", "add", "'add' is not possible here. Use 'replace' or 'overlay'."),
        (
            "intro",
            "mode",
            "overlays",
            "'overlays' is not possible here; did you mean 'overlay'? Use 'replace' or 'overlay'.",
        ),
        ("intro", "mode", True, "must be one of 'replace' or 'overlay', but is true."),
        ("intro", "provider", "sox", "'sox' does not make mix-audio. Use 'ffmpeg'."),
        ("intro", "Volume", 1, "'Volume' is not a setting of mix-audio; did you mean 'volume'?"),
        ("final", "codec", "hevc", "'codec' is not a setting of merge-videos. Known: 'provider'."),
        ("text", "voice", "x", "'voice' can't be here: asset has no settings. Remove it."),
    ],
)
def test_settings_of_other_nodes(lesson: Data, problems: Problems, id: str, key: str, value: Any, message: str) -> None:
    node(lesson, id)["config"] = {key: value}
    assert problems(lesson) == [f"nodes.{id}.config.{key}: {message}"]


@pytest.mark.parametrize(
    ("id", "inputs", "lines"),
    [
        ("voice", {}, ["nodes.voice.inputs.script: 'script' is missing. It takes the id of a node that makes text."]),
        ("voice", None, ["nodes.voice.inputs.script: 'script' is missing. It takes the id of a node that makes text."]),
        ("voice", {"script": None}, ["nodes.voice.inputs.script: 'script' is missing. It takes the id of a node that makes text."]),
        ("voice", {"script": []}, ["nodes.voice.inputs.script: names no node. Give it one."]),
        ("voice", {"script": ["text", "text"]}, ["nodes.voice.inputs.script: takes exactly one node, but 2 are given."]),
        ("voice", {"script": 3}, ["nodes.voice.inputs.script: must be text, but is the number 3. Put it in quotes."]),
        ("voice", {"script": {"id": "text"}}, ["nodes.voice.inputs.script: must be the id of a node, but is a mapping."]),
        ("voice", {"scirpt": "text"}, ["nodes.voice.inputs.scirpt: 'scirpt' is not an input of generate-voiceover; did you mean 'script'?"]),
        ("voice", {"script": "text", "voiceId": "x"}, ["nodes.voice.inputs.voiceId: 'voiceId' is in the wrong place: it belongs under 'config'."]),
        ("intro", {"video": "slide", "audio": "voice", "music": "voice"}, ["nodes.intro.inputs.music: 'music' is not an input of mix-audio. Known: 'video' and 'audio'."]),
        ("intro", {"audio": "voice", "video": ""}, ["nodes.intro.inputs.video: is empty. A clip, or a still that is held while the sound lasts."]),
        ("final", {}, ["nodes.final.inputs.segments: 'segments' is missing. It takes a list of at least 2 nodes that make video."]),
        ("final", {"segments": ["intro"]}, ["nodes.final.inputs.segments: needs at least 2 nodes, but has 1."]),
        ("final", {"segments": "intro"}, ["nodes.final.inputs.segments: must be a list of node ids, in order, but is the text 'intro'."]),
        ("final", ["intro", "clip"], ["nodes.final.inputs: must be a mapping of keys and values, but is a list."]),
        ("text", {"script": "slide"}, ["nodes.text.inputs.script: 'script' can't be here: asset takes no inputs. Remove it."]),
    ],
)  # fmt: skip
def test_inputs(lesson: Data, problems: Problems, id: str, inputs: Any, lines: list[str]) -> None:
    node(lesson, id)["inputs"] = inputs
    assert problems(lesson) == lines


@pytest.mark.parametrize(
    ("id", "change", "line"),
    [
        ("voice", {"type": "generate-voice"}, f"nodes.voice.type: 'generate-voice' is not a node type; did you mean 'generate-voiceover'? {TYPES}"),
        ("voice", {"type": "sing"}, f"nodes.voice.type: 'sing' is not a node type. {TYPES}"),
        ("voice", {"type": 7}, f"nodes.voice.type: '7' is not a node type. {TYPES}"),
        ("voice", {"type": None}, f"nodes.voice.type: 'type' is missing. {TYPES}"),
        ("voice", {"voiceId": "x"}, "nodes.voice.voiceId: 'voiceId' is in the wrong place: it belongs under 'config'."),
        ("voice", {"script": "text"}, "nodes.voice.script: 'script' is in the wrong place: it belongs under 'inputs'."),
        ("voice", {"input": {}}, "nodes.voice.input: 'input' is not a key of a node; did you mean 'inputs'?"),
        ("voice", {"asset": {"type": "text"}}, "nodes.voice.asset: 'asset' is in the wrong place: it belongs under a node of type 'asset'."),
        ("voice", {"title": 5}, "nodes.voice.title: must be text, but is the number 5. Put it in quotes."),
        ("voice", {"title": "x" * 201}, "nodes.voice.title: has 201 characters; at most 200 are allowed."),
        ("voice", {"config": "elevenlabs"}, "nodes.voice.config: must be a mapping of keys and values, but is the text 'elevenlabs'."),
        ("voice", {"uuid": "other"}, "nodes.voice: has both an 'id' and another 'uuid', which mean the same. Keep one of them."),
        ("text", {"source": "intro.txt"}, "nodes.text.source: 'source' is in the wrong place: it belongs under 'asset'."),
        ("text", {"asset": None}, "nodes.text.asset: 'asset' is missing. What the asset is and where."),
        ("text", {"asset": "intro.txt"}, "nodes.text.asset: must be a mapping of keys and values, but is the text 'intro.txt'."),
        ("text", {"asset": {"source": "intro.txt"}}, "nodes.text.asset.type: 'type' is missing. What it is. 'script' is read as 'text'."),
        ("text", {"asset": {"type": "words", "source": "intro.txt"}}, "nodes.text.asset.type: 'words' is not possible here. Use 'text', 'json', 'image', 'video' or 'audio'."),
        ("text", {"asset": {"type": "text", "source": ["a"]}}, "nodes.text.asset.source: must be text, but is a list."),
        ("text", {"asset": {"type": "text", "source": "a", "url": "b"}}, "nodes.text.asset: has both a 'source' and another 'url', which mean the same. Keep one of them."),
        ("text", {"asset": {"type": "text", "file": "a", "source": "intro.txt"}}, "nodes.text.asset.file: 'file' is not a key of an asset. Known: 'type', 'source' and 'content'."),
        ("text", {"asset": {"type": "text", "sorce": "intro.txt"}}, "nodes.text.asset.sorce: 'sorce' is not a key of an asset; did you mean 'source'?"),
    ],
)  # fmt: skip
def test_nodes(lesson: Data, problems: Problems, id: str, change: Data, line: str) -> None:
    node(lesson, id).update(change)
    assert line in problems(lesson)


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("#pipeline", "'#pipeline' can't be an id: ids that start with '#' are reserved. Choose another one."),
        ("..", "'..' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit."),
        ("a/b", "'a/b' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit."),
        ("a b", "'a b' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit."),
        ("-a", "'-a' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit."),
        ("ä", "'ä' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit."),
        ("a\n", "'a\n' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit."),
        (
            "x" * 65,
            f"'{'x' * 40}…' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit.",
        ),
    ],
)
def test_ids_that_can_not_be_used(lesson: Data, problems: Problems, id: str, message: str) -> None:
    node(lesson, "final")["id"] = id
    assert problems(lesson) == [f"nodes.{id}.id: {message}"]


@pytest.mark.parametrize("id", ["a", "A.b_c-1", "0", "x" * 64, "7b3e1a52-8f0e-4f0c-9a55-0c3b6a0f2c11"])
def test_ids_that_can_be_used(lesson: Data, problems: Problems, id: str) -> None:
    node(lesson, "final")["id"] = id
    assert problems(lesson) == []


def test_a_node_without_an_id_is_named_by_its_place(lesson: Data, problems: Problems) -> None:
    del node(lesson, "final")["id"]
    lesson["nodes"].append("more")
    assert problems(lesson) == [
        "nodes[5].id: 'id' is missing. The node's name in this document; other nodes refer to it. 'uuid' is read as 'id'.",
        "nodes[6]: must be a node with id and type, but is the text 'more'.",
    ]


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"id": "my lesson"}, ["id: 'my lesson' can't be an id. Use 1 to 64 letters, digits, '-', '_' or '.', starting with a letter or digit."]),
        ({"id": 7}, ["id: must be text, but is the number 7. Put it in quotes."]),
        ({"title": ""}, ["title: is empty. What people see."]),
        ({"titel": "x"}, ["titel: 'titel' is not a key of a pipeline document; did you mean 'title'?"]),
        ({"author": "x"}, ["author: 'author' is not a key of a pipeline document. Known: 'id', 'title', 'version', 'budget', 'config' and 'nodes'."]),
        ({"version": [1]}, ["version: must be text, but is a list."]),
        ({"nodes": []}, ["nodes: The document has no nodes. Add at least one."]),
        ({"nodes": {"a": {}}}, ["nodes: must be a list of nodes, each starting with '- id: …', but is a mapping."]),
        ({"nodes": None}, ["nodes: must be a list of nodes, each starting with '- id: …', but is empty."]),
        ({"config": 3}, ["config: must be a mapping of keys and values, but is the number 3."]),
        ({"config": {"region": "x"}}, ["config.region: 'region' is not a key of 'config'. Known: 'storage' and 'workingDirectory'."]),
        ({"config": {"storage": {"bukket": "x"}}}, ["config.storage.bukket: 'bukket' is not a key of 'config.storage'; did you mean 'bucket'?"]),
        ({"config": {"storage": {"bucket": "s3://x"}}}, ["config.storage.bucket: 's3://x' can't be a bucket: 3 to 63 lower-case letters, digits, '.' or '-'. Write the name alone."]),
        ({"config": {"storage": {"prefix": "/a"}}}, ["config.storage.prefix: '/a' can't be a prefix. Write folders with single slashes between them, such as 'lessons/'."]),
        ({"config": {"storage": {"prefix": "takes/mine"}}}, ["config.storage.prefix: 'takes/mine' can't be a prefix: 'takes/' holds what was bought. Choose another folder."]),
        ({"id": "takes"}, ["id: 'takes' can't be a pipeline's id: that folder holds what was bought. Choose another one."]),
        ({"config": {"storage": {"prefix": "a/../b"}}}, ["config.storage.prefix: 'a/../b' can't be a prefix. Write folders with single slashes between them, such as 'lessons/'."]),
        ({"uuid": "x"}, ["The document has both an 'id' and another 'uuid', which mean the same. Keep one of them."]),
    ],
)  # fmt: skip
def test_the_head_of_a_document(lesson: Data, problems: Problems, change: Data, lines: list[str]) -> None:
    assert problems(lesson | change) == lines


def test_a_document_without_a_head_hears_of_each_missing_key(problems: Problems) -> None:
    assert problems({}) == [
        "id: 'id' is missing. The pipeline's name in the tables. 'uuid' is read as 'id'.",
        "title: 'title' is missing. What people see.",
        "nodes: 'nodes' is missing. The steps, in any order.",
    ]


def test_storage_defaults_to_the_local_bucket_and_prefixes_end_in_a_slash(lesson: Data) -> None:
    assert PipelineDocument.model_validate(lesson).config.storage.bucket == "jiki-videos-local"
    assert PipelineDocument.model_validate(lesson).config.storage.prefix == ""
    lesson["config"] = {"storage": {"bucket": "jiki-videos-dev", "prefix": "lessons/one"}}
    storage = PipelineDocument.model_validate(lesson).config.storage
    assert (storage.bucket, storage.prefix) == ("jiki-videos-dev", "lessons/one/")


@pytest.mark.parametrize(("given", "read"), [("2.0", "2.0"), (1, "1"), (1.5, "1.5")])
def test_a_version_may_be_a_number(lesson: Data, given: Any, read: str) -> None:
    assert PipelineDocument.model_validate(lesson | {"version": given}).version == read


def test_documents_of_the_rails_app_are_read_as_they_are(lesson: Data, problems: Problems) -> None:
    state = {"status": "completed", "metadata": {}, "output": None, "is_valid": True, "validation_errors": {}}
    rails = {
        "uuid": "0e6b8e0e-1111-4222-8333-444455556666",
        "title": "From Rails",
        "version": "1.0",
        "config": {"storage": {"bucket": "jiki-videos-test", "prefix": "pipelines/"}, "workingDirectory": "./output"},
        "metadata": {"totalCost": 0},
        "nodes": [
            {key: value for key, value in item.items() if key != "id"}
            | {"uuid": item["id"], "title": "T", "asset": item.get("asset"), "inputs": item.get("inputs", {})}
            | {"config": item.get("config", {})}
            | state
            for item in lesson["nodes"]
        ],
    }
    rails["nodes"][0]["asset"] = {"type": "script", "url": "intro.txt"}
    rails["nodes"][3]["inputs"] = {"script": ["text"]}
    assert problems(rails) == []
    document = PipelineDocument.model_validate(rails)
    assert document.id == "0e6b8e0e-1111-4222-8333-444455556666"
    first = document.nodes[0].model_dump(by_alias=True, exclude_none=True)
    assert first["id"] == "text"
    assert first["asset"] == {"type": "text", "source": "intro.txt"}


def test_animations_are_checked_against_their_provider(lesson: Data, problems: Problems) -> None:
    def settings(**config: Any) -> list[str]:
        animation = {"id": "clip", "type": "generate-animation", "inputs": {"prompt": "text"}, "config": config}
        nodes = [animation if item["id"] == "clip" else item for item in lesson["nodes"]]
        return [line.removeprefix("nodes.clip.") for line in problems(lesson | {"nodes": nodes})]

    assert settings(provider="veo3", duration=8) == []
    assert settings(provider="veo3", duration=5) == ["config.duration: must be 4, 6 or 8, but is the number 5."]
    assert settings(provider="runway", duration=5) == []
    assert settings(provider="runway", duration=11) == ["config.duration: must be from 2 to 10, but is 11."]
    assert settings(provider="runway", duration=5.5) == [
        "config.duration: must be a whole number, but is the number 5.5."
    ]
    assert settings(provider="runway")[0].startswith(
        "config.duration: 'duration' is missing. Seconds; billed by the second"
    )
    assert settings(duration=8) == ["config.provider: 'provider' is missing. Use 'veo3' or 'runway'."]
    assert settings(provider="sora") == [
        "config.provider: 'sora' does not make generate-animation. Use 'veo3' or 'runway'."
    ]


def test_an_animation_by_runway_fits_its_model(lesson: Data, problems: Problems) -> None:
    def settings(**config: Any) -> list[str]:
        shown = {"provider": "runway", "duration": 8, **config}
        animation = {"id": "clip", "type": "generate-animation", "inputs": {"prompt": "text"}, "config": shown}
        nodes = [animation if item["id"] == "clip" else item for item in lesson["nodes"]]
        return [line.removeprefix("nodes.clip.config.") for line in problems(lesson | {"nodes": nodes})]

    assert settings(model="veo3.1_fast", audio=True, resolution="1080p", seed=7) == []
    assert settings(model="veo3.1", duration=5) == ["duration: veo3.1 makes clips of 4, 6 or 8 seconds, not 5."]
    assert settings(resolution="1080p", audio=True) == [], "the settings may name a model that makes that"
    assert settings(model="gen4.5", resolution="1080p", audio=True) == [
        "resolution: gen4.5 makes no 1080p. Remove 'resolution' or use model 'veo3.1'.",
        "audio: gen4.5 makes no sound. Remove 'audio' or use model 'veo3.1'.",
    ]


def test_talking_heads_are_checked_against_heygen(lesson: Data, problems: Problems) -> None:
    def settings(**config: Any) -> list[str]:
        head = {
            "id": "clip",
            "type": "generate-talking-head",
            "inputs": {"audio": "voice"},
            "config": {"provider": "heygen", "avatarId": "anna"} | config,
        }
        nodes = [head if item["id"] == "clip" else item for item in lesson["nodes"]]
        return [line.removeprefix("nodes.clip.") for line in problems(lesson | {"nodes": nodes})]

    assert settings() == settings(width=1280, height=720) == settings(width=1080, height=1350) == []
    assert settings(width=1280) == ["config.height: 'width' is set, so 'height' must be set too."]
    assert settings(width=1000, height=720) == [
        "config.width: 1000×720 is no size that HeyGen makes. The shorter side is 720, 1080 or 2160, "
        "the shape 16:9, 9:16, 4:5, 5:4, 1:1."
    ]


@pytest.mark.parametrize(
    ("type_", "provider", "setting"),
    [
        ("generate-talking-head", "heygen", "engine"),
        ("generate-animation", "veo3", "model"),
        ("generate-animation", "runway", "model"),
    ],
)
def test_settings_may_name_what_documents_may(type_: str, provider: str, setting: str) -> None:
    """What is paid for has no default: the document names it, or the settings do."""
    field = NODE_TYPES[type_].configs[provider].model_fields[setting]
    named, nothing = get_args(field.annotation)
    assert (get_args(named), nothing, field.default) == (SETTINGS[provider][setting], type(None), None)


def test_every_model_knows_its_longest_script() -> None:
    models = NODE_TYPES["generate-voiceover"].configs["elevenlabs"].model_fields["model_id"].annotation
    assert set(VOICE_MODELS) == set(getattr(models, "__args__", ()))
