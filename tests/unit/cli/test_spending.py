"""What a run would buy, before anything is bought: exactly what the functions would then send."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import pytest

from video_production.cli.spending import Estimate, estimate
from video_production.nodes.model import Node, Output
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.interface import GenerationRequest, InputContent, Price
from video_production.providers.secrets import ApiKey
from video_production.settings import FunctionSettings, ProviderSettings
from video_production.storage import Storage
from video_production.takes.fingerprint import take_id
from video_production.takes.model import Take, TakeAttempt, TakeState

SCRIPT = "Größe: binary search looks at the middle."
SHA = hashlib.sha256(SCRIPT.encode()).hexdigest()
CONFIG = {"provider": "elevenlabs", "voiceId": "JBFqnCBsd6RMkjVDRZzb", "modelId": "eleven_multilingual_v2"}


def settings(name: str) -> ProviderSettings:
    return FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "production"}).provider(name)


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


def bought(script: Node, found: Any, storage: Any = None, *voices: Node, **options: Any) -> Estimate:
    nodes = {node.id: node for node in (script, *(voices or (voice(),)))}
    return estimate(nodes.values(), nodes, found, storage, settings, **options)


def test_characters_and_dollars_are_the_providers_own() -> None:
    [purchase] = bought(asset(content=SCRIPT, sha256=SHA), Found()).purchases
    assert (purchase.node, purchase.provider) == ("voice", "elevenlabs")
    assert (purchase.price.quantity, purchase.price.unit) == (len(SCRIPT), "characters")
    assert purchase.price.usd == pytest.approx(len(SCRIPT) * 0.08 / 1000)


@pytest.mark.parametrize("state", [TakeState.MADE, TakeState.SUBMITTED, TakeState.SUBMITTING, TakeState.UNKNOWN])
def test_what_is_bought_or_may_have_been_is_not_bought_again(state: TakeState) -> None:
    assert bought(asset(content=SCRIPT, sha256=SHA), Found(state)).nothing


@pytest.mark.parametrize("state", [TakeState.REFUSED, TakeState.RELEASED])
def test_what_was_refused_or_is_to_be_paid_again_is_bought(state: TakeState) -> None:
    assert len(bought(asset(content=SCRIPT, sha256=SHA), Found(state)).purchases) == 1


@pytest.mark.parametrize(
    ("charged", "asked", "buys"),
    [(False, "run", True), (None, "run", False), (True, "run", False), (None, "retry", True), (True, "retry", True)],
)
def test_a_failed_job_is_bought_again_by_a_run_only_if_it_cost_nothing(
    charged: bool | None, asked: Any, buys: bool
) -> None:
    found = Found(TakeState.FAILED, charged=charged)
    assert bool(bought(asset(content=SCRIPT, sha256=SHA), found, asked=asked).purchases) is buys


def test_two_nodes_that_say_the_same_are_one_purchase() -> None:
    script = asset(content=SCRIPT, sha256=SHA)
    assert len(bought(script, Found(), None, voice("one"), voice("two")).purchases) == 1


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
        assert bought(node, found, storage).nothing, where


def test_a_script_that_has_to_be_fetched_first_has_no_price_yet(s3: Any, bucket: str) -> None:
    estimated = bought(asset(source="https://example.com/script.txt"), Found(), Storage(s3))
    assert (estimated.purchases, estimated.unknown) == ((), ("voice",))
    missing = bought(asset(source=f"s3://{bucket}/nothing.txt"), Found(), Storage(s3))
    assert missing.unknown == ("voice",)
