"""What a run would buy, before anything is bought: exactly what the functions would then send."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from video_production.cli.spending import Appraisal, Appraiser, Asked, buying_nodes
from video_production.nodes.model import Node, NodeStatus, Output
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.interface import GenerationRequest, InputContent, Price
from video_production.providers.secrets import ApiKey
from video_production.settings import FunctionSettings
from video_production.storage import Storage
from video_production.takes.fingerprint import take_id
from video_production.takes.model import Take, TakeAttempt, TakeState

SCRIPT = "Größe: binary search looks at the middle."
SHA = hashlib.sha256(SCRIPT.encode()).hexdigest()
CONFIG = {"provider": "elevenlabs", "voiceId": "JBFqnCBsd6RMkjVDRZzb", "modelId": "eleven_multilingual_v2"}


def settings(name: str) -> FunctionSettings:
    return FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "production", "HEYGEN_ENGINE": "avatar_iv"})


class Found:
    """A table that holds one take for the script, or none."""

    def __init__(self, state: TakeState | None = None, *, charged: bool | None = None) -> None:
        storage: Any = None
        provider = ElevenLabs(ApiKey(""), storage)
        config = provider.effective_config("generate-voiceover", CONFIG)
        request = GenerationRequest("generate-voiceover", config, {"script": (InputContent("text", SHA, SCRIPT),)})
        self.id = take_id(
            request, provider="elevenlabs", account="default", mode="live", adapter_version=provider.adapter_version
        )
        attempt = TakeAttempt("a", 1, state or TakeState.MADE, "job", 0.0, 0.0, charged=charged)
        price = Price(1, "characters", 0.1)
        self.kept = Take(self.id, state, "a", {"a": attempt}, "elevenlabs", "live", price) if state else None

    def take(self, take_id: str) -> Take | None:
        return self.kept if self.kept and take_id == self.id else None


def asset(**about: Any) -> Node:
    return Node("lesson", "script", "Script", "asset", asset={"type": "text", **about})


def voice(name: str = "voice") -> Node:
    return Node("lesson", name, "Voice", "generate-voiceover", {"script": ("script",)}, CONFIG)


def bought(
    script: Node, found: Any, storage: Any = None, *voices: Node, asked: Asked = "run", given: Any = settings
) -> list[Appraisal]:
    nodes = {node.id: node for node in (script, *(voices or (voice(),)))}
    appraiser = Appraiser(nodes, found, storage, given)
    return [appraiser.appraise(node, asked) for node in buying_nodes(nodes.values())]


def buys(appraisals: list[Appraisal]) -> int:
    return sum(len(appraisal.purchases) for appraisal in appraisals)


def test_characters_and_dollars_are_the_providers_own() -> None:
    [appraisal] = bought(asset(content=SCRIPT, sha256=SHA), Found())
    [purchase] = appraisal.purchases
    assert (purchase.node, purchase.provider, purchase.price.exact) == ("voice", "elevenlabs", True)
    assert (purchase.price.low.quantity, purchase.price.low.unit) == (len(SCRIPT), "characters")
    assert purchase.price.low.usd == pytest.approx(len(SCRIPT) * 0.08 / 1000)


def test_prices_are_those_that_are_set_in_the_environment() -> None:
    prices = '{"providers": {"elevenlabs": {"models": {"eleven_multilingual_v2": 0.02}}}}'

    def own(name: str) -> FunctionSettings:
        return FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "production", "PRICES": prices})

    [appraisal] = bought(asset(content=SCRIPT, sha256=SHA), Found(), given=own)
    assert appraisal.purchases[0].price.low.usd == pytest.approx(len(SCRIPT) * 0.02 / 1000)


@pytest.mark.parametrize(
    ("state", "field"),
    [
        (TakeState.MADE, "made"),
        (TakeState.SUBMITTED, "under_way"),
        (TakeState.SUBMITTING, "under_way"),
        (TakeState.UNKNOWN, "undecided"),
        (TakeState.ABANDONED, "undecided"),
    ],
)
def test_what_is_bought_or_may_have_been_is_not_bought_again(state: TakeState, field: str) -> None:
    [appraisal] = bought(asset(content=SCRIPT, sha256=SHA), Found(state))
    assert not appraisal.purchases
    assert len(getattr(appraisal, field)) == 1
    assert appraisal.bought is (state == TakeState.MADE)


@pytest.mark.parametrize("state", [TakeState.REFUSED, TakeState.RELEASED])
def test_what_was_refused_or_is_to_be_paid_again_is_bought(state: TakeState) -> None:
    assert buys(bought(asset(content=SCRIPT, sha256=SHA), Found(state))) == 1


@pytest.mark.parametrize(
    ("charged", "asked", "expected"),
    [(False, "run", 1), (None, "run", 0), (True, "run", 0), (None, "retry", 1), (True, "retry", 1)],
)
def test_a_failed_job_is_bought_again_by_a_run_only_if_it_cost_nothing(
    charged: bool | None, asked: Any, expected: int
) -> None:
    [appraisal] = bought(asset(content=SCRIPT, sha256=SHA), Found(TakeState.FAILED, charged=charged), asked=asked)
    assert len(appraisal.purchases) == expected
    assert len(appraisal.failed) == 1 - expected


def test_two_nodes_that_say_the_same_are_one_purchase() -> None:
    script = asset(content=SCRIPT, sha256=SHA)
    first, second = bought(script, Found(), None, voice("one"), voice("two"))
    assert (len(first.purchases), len(second.purchases), second.shared) == (1, 0, 1)


def test_another_roll_is_another_purchase_of_the_same_request() -> None:
    script = asset(content=SCRIPT, sha256=SHA)
    again = replace(voice("again"), config={**CONFIG, "take": 2})
    first = replace(voice("first"), config={**CONFIG, "take": 1})
    made, new = bought(script, Found(TakeState.MADE), None, first, again)
    assert made.bought, "roll 1 is what is made when nothing is said"
    assert len(new.purchases) == 1


def test_a_long_script_is_bought_in_parts() -> None:
    text = " ".join(f"Sentence number {number} of this lesson is not like the others." for number in range(400))
    sha = hashlib.sha256(text.encode()).hexdigest()
    [appraisal] = bought(asset(content=text, sha256=sha), Found())
    assert len(appraisal.purchases) == appraisal.parts > 1
    assert sum(purchase.price.low.quantity for purchase in appraisal.purchases) == pytest.approx(len(text), rel=0.01)


def test_the_same_script_is_the_same_purchase_wherever_it_lies(s3: Any, bucket: str, tmp_path: Any) -> None:
    storage, found = Storage(s3), Found(TakeState.MADE)
    path = tmp_path / "script.txt"
    path.write_text(SCRIPT, "utf-8")
    stored = storage.upload(path, bucket, "script.txt", "text/plain")
    output = Output("text", stored.key, stored.size, stored.sha256, bucket)
    places = {
        "a file beside the document": asset(source="script.txt", path=str(path), sha256=SHA),
        "an object": asset(source=f"s3://{bucket}/script.txt"),
        "an asset that was uploaded before": replace(asset(source="script.txt", sha256=SHA), output=output),
    }
    for where, node in places.items():
        assert [appraisal.bought for appraisal in bought(node, found, storage)] == [True], where


def test_a_script_that_has_to_be_fetched_first_has_no_price_yet(s3: Any, bucket: str) -> None:
    for source in ("https://example.com/script.txt", f"s3://{bucket}/nothing.txt"):
        [appraisal] = bought(asset(source=source), Found(), Storage(s3))
        assert appraisal.unknown
        assert not appraisal.purchases


# Inputs that are not made yet


def head() -> Node:
    config = {"provider": "heygen", "avatarId": "Anna_public_3"}
    return Node("lesson", "head", "Head", "generate-talking-head", {"audio": ("voice",)}, config)


def test_a_talking_head_of_a_voice_that_is_not_made_yet_costs_between_a_fast_and_a_slow_reading() -> None:
    script = "Binary search looks at the middle of a sorted list. " * 20
    made = asset(content=script, sha256=hashlib.sha256(script.encode()).hexdigest())
    _, appraisal = bought(made, Found(), None, voice(), head())
    [purchase] = appraisal.purchases
    low, high = purchase.price.low, purchase.price.high
    assert (low.unit, purchase.take_id) == ("seconds", "")
    assert low.quantity < len(script) / 15 < high.quantity, "fifteen characters a second are the usual pace"
    assert high.quantity < 2 * low.quantity
    assert high.usd / high.quantity == pytest.approx(low.usd / low.quantity)


SAID = "The sun is almost white, and still the sky above us is blue."


def said(name: str, seconds: float, **config: Any) -> dict[str, Node]:
    """A script that lies in the bucket and the voice that read it in the last run."""
    text = Output("text", f"{name}.txt", len(SAID), "cd" * 32, "bucket")
    sound = Output("audio", f"{name}.mp3", 1000, "ab" * 32, "bucket", duration=seconds)
    script = Node("lesson", f"{name}-script", "Script", "asset", output=text)
    spoken = replace(voice(name), inputs={"script": (script.id,)}, config={**CONFIG, **config})
    return {script.id: script, name: replace(spoken, output=sound, status=NodeStatus.COMPLETED)}


class Stored:
    def read(self, bucket: str, key: str) -> bytes:
        return SAID.encode()


@pytest.mark.parametrize(
    ("before", "pace"),
    [
        (said("voice", 4.0), len(SAID) / 4),
        (said("other", 3.0) | said("another", 5.0), len(SAID) / 4),
        (said("voice", 4.0) | said("other", 8.0), len(SAID) / 4),
    ],
    ids=["this node", "the same voice elsewhere", "this node, whoever else spoke"],
)
def test_a_voice_that_has_spoken_before_will_speak_as_fast_again(before: dict[str, Node], pace: float) -> None:
    nodes = {"script": asset(content=SCRIPT * 3, sha256=SHA), "voice": voice()}
    found: Any = Found()
    reader: Any = Stored()
    low, high = Appraiser(nodes, found, reader, settings, spoken=before).seconds(nodes["voice"]) or (0, 0)
    assert low < len(SCRIPT * 3) / pace < high
    assert high / low < 1.2


def test_how_fast_another_voice_spoke_says_nothing() -> None:
    nodes = {"script": asset(content=SCRIPT * 3, sha256=SHA), "voice": voice()}
    found: Any = Found()
    reader: Any = Stored()
    unheard = Appraiser(nodes, found, reader, settings).seconds(nodes["voice"])
    for other in (said("other", 2.0, voiceId="21m00Tcm4TlvDq8ikWAM"), said("other", 2.0, speed=0.7)):
        assert Appraiser(nodes, found, reader, settings, spoken=other).seconds(nodes["voice"]) == unheard


def test_a_voice_that_is_made_has_one_price_for_its_talking_head() -> None:
    output = Output("audio", "voice.mp3", 1000, "ab" * 32, "bucket", duration=42.5)
    nodes = {"voice": replace(voice(), output=output), "head": head()}
    [purchase] = Appraiser(nodes, Found(), None, settings).appraise(nodes["head"]).purchases  # type: ignore[arg-type]
    assert (purchase.price.exact, purchase.price.low.quantity) == (True, 42.5)


def test_what_lasts_is_added_up_along_the_graph() -> None:
    nodes = {
        "a": Node("lesson", "a", "A", "generate-animation", {}, {"provider": "runway", "duration": 5}),
        "b": Node("lesson", "b", "B", "generate-animation", {}, {"provider": "veo3", "duration": 8}),
        "mix": Node("lesson", "mix", "Mix", "mix-audio", {"video": ("a",), "audio": ("b",)}),
        "film": Node("lesson", "film", "Film", "merge-videos", {"segments": ("a", "mix")}),
    }
    appraiser = Appraiser(nodes, Found(), None, settings)  # type: ignore[arg-type]
    assert appraiser.seconds(nodes["mix"]) == (8, 8)
    assert appraiser.seconds(nodes["film"]) == (13, 13)
