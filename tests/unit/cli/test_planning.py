"""`plan`: what a run would do, why, for how much, and under which name; the name changes as soon as anything moves."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from video_production.cli.differences import text_change
from video_production.cli.place import ON_THIS_MACHINE
from video_production.cli.plan_words import plan_event, plan_lines, plan_object, waiting
from video_production.cli.planning import Plan, budget_words, make_plan, moved_since, upgrades
from video_production.cli.times import Work, likely, makespan
from video_production.errors import DocumentError, MediaError, RequestError
from video_production.nodes.model import Desired, Node, NodeStatus, Outcome, Output, Pipeline
from video_production.providers.elevenlabs import ElevenLabs
from video_production.providers.interface import GenerationRequest, InputContent, Made, Price
from video_production.providers.secrets import ApiKey
from video_production.settings import FunctionSettings
from video_production.takes.fingerprint import take_id
from video_production.takes.ledger import Totals
from video_production.takes.model import Take, TakeAttempt, TakeState

SCRIPT = "How do you find a word in a dictionary? You look at the middle."
VOICE = {"provider": "elevenlabs", "voiceId": "JBFqnCBsd6RMkjVDRZzb", "modelId": "eleven_multilingual_v2"}
HEAD = {"provider": "heygen", "avatarId": "Anna_public_3"}
PIPELINE = Pipeline("lesson", "Lesson", 0, Desired.RUN, (), "film", "bucket", "", live=())


def text(node_id: str, content: str) -> Node:
    asset = {"type": "text", "content": content, "sha256": hashlib.sha256(content.encode()).hexdigest()}
    return Node("lesson", node_id, node_id, "asset", asset=asset)


def graph(script: str = SCRIPT, **voice: Any) -> list[Node]:
    """A script that is spoken, a head that speaks it, both joined."""
    return [
        text("script", script),
        Node("lesson", "voice", "Voice", "generate-voiceover", {"script": ("script",)}, {**VOICE, **voice}),
        Node("lesson", "head", "Head", "generate-talking-head", {"audio": ("voice",)}, HEAD),
        Node("lesson", "film", "Film", "merge-videos", {"segments": ("head", "head")}, {"provider": "ffmpeg"}),
    ]


@dataclass
class Here:
    """A place with tables of its own. `real` are the providers that are no drafts; of the settings it has HeyGen's
    `engine` and Runway's `model`."""

    pipeline: Pipeline | None = None
    nodes: dict[str, Node] = field(default_factory=dict)
    takes: dict[str, Take] = field(default_factory=dict)
    real: tuple[str, ...] = ()
    prices: str = ""
    engine: str = "avatar_iv"
    model: str = ""
    spent: float = 0.0
    place: Any = ON_THIS_MACHINE

    def settings(self, name: str) -> FunctionSettings:
        mode = "live" if name in self.real else "draft"
        return FunctionSettings.from_environment(
            {
                "JIKI_ENVIRONMENT": "local",
                f"{name.upper()}_MODE": mode,
                "PRICES": self.prices,
                "HEYGEN_ENGINE": self.engine,
                "RUNWAY_MODEL": self.model,
            }
        )

    def reader(self) -> Here:
        return self

    def read(self, bucket: str, key: str, limit: int = 0) -> bytes:
        raise MediaError("It is gone.")

    def load(self, pipeline_id: str) -> tuple[Pipeline | None, Mapping[str, Node]]:
        return self.pipeline, self.nodes

    def take(self, identity: str) -> Take | None:
        return self.takes.get(identity)

    def totals(self, pipeline_id: str, mode: str) -> Totals:
        return Totals(settled=self.spent)

    def plan(self, nodes: list[Node], **changes: Any) -> Plan:
        here: Any = self
        return make_plan(here, here, replace(PIPELINE, live=self.real, **changes), nodes)


def finished(nodes: list[Node], mode: str = "draft", **changes: Any) -> Here:
    """Everything is made already, by one request for each generated node."""
    here = Here(pipeline=replace(PIPELINE, revision=1, outcome=Outcome("completed", 1, 0.0), **changes))
    for node in nodes:
        kind: Any = "text" if node.type == "asset" else "audio" if node.type == "generate-voiceover" else "video"
        asset = {key: value for key, value in (node.asset or {}).items() if key != "path"} or None
        sha = (asset or {}).get("sha256") or hashlib.sha256(node.id.encode()).hexdigest()
        output = Output(kind, f"{node.id}.bin", 100, sha, "bucket", None if asset else 4.2)
        takes = [f"take-{node.id}"] if node.type.startswith("generate-") else []
        here.nodes[node.id] = replace(
            node, asset=asset, status=NodeStatus.COMPLETED, output=output, metadata={"takes": takes}
        )
        for identity in takes:
            attempt = TakeAttempt("a", 1, TakeState.MADE, "job", 0.0, 0.0)
            price = Price(1, "seconds", 0.1)
            here.takes[identity] = Take(identity, TakeState.MADE, "a", {"a": attempt}, str(node.provider), mode, price)
    return here


def actions(plan: Plan) -> dict[str, str]:
    return {step.node.id: step.action for step in plan.steps}


def step(plan: Plan, node_id: str) -> Any:
    return next(step for step in plan.steps if step.node.id == node_id)


# What happens to which node, and why


def test_all_of_a_new_pipeline_is_made() -> None:
    plan = Here().plan(graph())
    assert actions(plan) == {"script": "provide", "voice": "make", "head": "make", "film": "make"}
    assert plan.make == ["voice", "head", "film"]
    assert plan.mode == "draft"


def test_what_is_finished_and_unchanged_is_reused() -> None:
    plan = finished(graph()).plan(graph())
    assert set(actions(plan).values()) == {"reuse"}
    assert (plan.make, plan.usd, plan.seconds) == ([], (0, 0), (0, 0))


def test_a_setting_that_changed_remakes_its_node_and_all_that_hangs_on_it() -> None:
    plan = finished(graph(speed=1.0)).plan(graph(speed=1.1, stability=0.5))
    assert actions(plan) == {"script": "reuse", "voice": "remake", "head": "remake", "film": "remake"}
    assert step(plan, "voice").why == ("speed 1.0 → 1.1", "stability not set → 0.5")
    assert step(plan, "head").why == ("voice changed",)
    assert step(plan, "film").why == ("head is made again",)


def test_an_input_that_is_another_one_says_so() -> None:
    other = [*graph(), text("other", "Other words.")]
    other[1] = replace(other[1], inputs={"script": ("other",)})
    plan = finished([*graph(), text("other", "Other words.")]).plan(other)
    assert step(plan, "voice").why == ("script script → other",)


def test_a_script_that_changed_is_shown_with_its_first_difference() -> None:
    plan = finished(graph()).plan(graph(SCRIPT.replace("How do you", "How would you")))
    script = step(plan, "script")
    assert (script.action, script.why) == ("provide", ("its text",))
    assert script.note == "“How do you find…” → “How would you find…”"
    assert step(plan, "voice").why == ("script changed",)
    lines = list(plan_lines(plan, "lesson.yaml"))
    assert lines[1] == " ~ script: “How do you find…” → “How would you find…”"


def test_another_roll_is_a_remake() -> None:
    plan = finished(graph()).plan(graph(take=2))
    assert step(plan, "voice").why == ("take not set → 2",)
    assert len(step(plan, "voice").purchases) == 1


def test_what_was_bought_before_is_reused_although_its_node_changed() -> None:
    here = finished(graph(speed=1.0))
    provider = ElevenLabs(ApiKey(""), None)  # type: ignore[arg-type]
    script = graph()[0].asset or {}
    config = provider.effective_config("generate-voiceover", {**VOICE, "speed": 1.1})
    request = GenerationRequest(
        "generate-voiceover", config, {"script": (InputContent("text", script["sha256"], SCRIPT),)}
    )
    identity = take_id(
        request, provider="elevenlabs", account="default", mode="draft", adapter_version=provider.adapter_version
    )
    here.takes[identity] = replace(here.takes["take-voice"], id=identity)
    voice = step(here.plan(graph(speed=1.1)), "voice")
    assert (voice.action, voice.note, voice.purchases) == ("reuse", "the same was bought before", ())


def test_what_is_made_of_something_bought_before_has_an_exact_price() -> None:
    here = finished(graph())
    plan = here.plan(graph(speed=1.1))
    [voice] = step(plan, "voice").purchases
    made = Made("audio", "bucket", "takes/voice.mp3", 1000, "ab" * 32, 3.0)
    here.takes[voice.take_id] = replace(here.takes["take-voice"], id=voice.take_id, made=made)
    head = step(here.plan(graph(speed=1.1)), "head")
    [purchase] = head.purchases
    assert (purchase.price.exact, purchase.price.low.quantity, head.note) == (True, 3.0, "")


@pytest.mark.parametrize(
    ("status", "metadata", "action", "why"),
    [
        (NodeStatus.PENDING, {}, "make", "it is not made yet"),
        (NodeStatus.IN_PROGRESS, {}, "go on", "it is under way"),
        (NodeStatus.FAILED, {"error": "No room."}, "make", "it failed: No room."),
    ],
)
def test_what_was_begun_goes_on(status: NodeStatus, metadata: dict[str, Any], action: str, why: str) -> None:
    here = finished(graph())
    here.nodes["film"] = replace(here.nodes["film"], status=status, output=None, metadata=metadata)
    film = step(here.plan(graph()), "film")
    assert (film.action, film.why) == (action, (why,))


def test_who_asks_for_the_real_provider_gets_the_drafts_made_again() -> None:
    here = finished(graph())
    here.real = ("elevenlabs",)
    nodes = graph()
    assert list(upgrades(nodes, here.nodes, here, here.settings)) == ["voice"]  # type: ignore[arg-type]
    plan = here.plan(nodes)
    assert step(plan, "voice").why == ("its draft gives way to the real ElevenLabs",)
    assert (step(plan, "voice").mode, step(plan, "head").mode, plan.mode) == ("live", "draft", "live")


def test_what_was_bought_for_real_is_not_replaced_by_a_draft() -> None:
    assert finished(graph(), mode="live").plan(graph()).make == []


# Money


def test_the_price_of_a_head_whose_voice_is_not_made_yet_is_a_range() -> None:
    plan = Here().plan(graph(SCRIPT * 10))
    head = step(plan, "head")
    low, high = head.usd
    assert 0 < low < high < 2 * low
    assert head.note == "estimated, its input is not made yet"
    assert plan.usd[1] == pytest.approx(sum(one.usd[1] for one in plan.steps))


def test_only_real_providers_are_said_to_be_paid() -> None:
    event = plan_event(Here(real=("elevenlabs",)).plan(graph()))
    assert [entry["node"] for entry in event["buys"]] == ["voice"]
    assert event["usd"] == pytest.approx(len(SCRIPT) * 0.08 / 1000)
    assert plan_event(Here().plan(graph()))["buys"] == []


def test_real_money_for_work_on_a_draft_is_warned_of() -> None:
    plan = Here(real=("heygen",)).plan(graph())
    assert plan.warnings == ("head: the real HeyGen is paid to work on a draft (voice)",)
    assert Here(real=("heygen", "elevenlabs")).plan(graph()).warnings == ()


@pytest.mark.parametrize(
    ("budget", "spent", "words"),
    [
        (None, 0.0, ""),
        (10.0, 1.0, "budget: $10.00, $9.00 of it left"),
        (1.0, 0.999, "budget: $1.00, $0.0010 of it left: this plan needs more and would stop in the middle"),
    ],
)
def test_the_budget_is_compared(budget: float | None, spent: float, words: str) -> None:
    assert budget_words(Here(spent=spent).plan(graph(), budget_usd=budget)) == words


def test_a_range_may_or_may_not_fit_a_budget() -> None:
    low, high = Here().plan(graph(SCRIPT * 10)).usd
    plan = Here().plan(graph(SCRIPT * 10), budget_usd=(low + high) / 2)
    assert budget_words(plan).endswith("this plan may need more")


def test_a_plan_reads_well() -> None:
    lines = list(plan_lines(Here(real=("elevenlabs",)).plan(graph()), "my lesson.yaml"))
    assert lines[0] == "LOCAL · lesson · Lesson"
    assert lines[1].split() == ["+", "make", "voice", "voiceover", "elevenlabs,", "real", "63", "characters", "$0.01"]
    assert " This buys 63 characters from elevenlabs: about $0.01 (prices of 2026-10-03)" in lines
    assert lines[-1].startswith(" Next: ./jiki-video produce 'my lesson.yaml' --live elevenlabs --plan ")
    assert not any(word in line for line in lines for word in ("fence", "settle", "claim", "slot", "splice"))


def test_the_next_command_keeps_what_the_plan_was_asked_with() -> None:
    plan = Here().plan(graph(), budget_usd=4.4)
    last = list(plan_lines(plan, "lesson.yaml", " --budget 4.4 --fresh"))[-1]
    assert last == f" Next: ./jiki-video produce lesson.yaml --budget 4.4 --fresh --plan {plan.hash}"


def test_a_decision_comes_before_the_next_run() -> None:
    made = Here().plan(graph())
    steps = [replace(one, action="decide") if one.node.id == "voice" else one for one in made.steps]
    plan = replace(made, steps=tuple(steps))
    assert list(plan_lines(plan, "lesson.yaml"))[-2:] == [
        " Next: ./jiki-video why lesson.yaml voice  tells what can be decided",
        f"       ./jiki-video produce lesson.yaml --plan {plan.hash}",
    ]


@pytest.mark.parametrize(
    ("sentences", "words"), [(100, ()), (150, ("may last",)), (300, ("lasts",))], ids=["short", "perhaps", "surely"]
)
def test_speech_that_heygen_would_refuse_is_told_before_its_voice_is_bought(
    sentences: int, words: tuple[str, ...]
) -> None:
    plan = Here().plan(graph(" ".join([SCRIPT] * sentences)))
    assert plan.warnings == tuple(
        f"head: its speech {word} longer than 10 minutes, which HeyGen refuses. Cut its script into several talking "
        "heads and merge them."
        for word in words
    )


def test_programs_get_every_cause_and_both_ends_of_every_range() -> None:
    told = plan_object(finished(graph(speed=1.0)).plan(graph(speed=1.1)))
    assert told["nodes"][1]["why"] == ["speed 1.0 → 1.1"]
    [buys] = told["nodes"][2]["buys"]
    assert buys["usd"] < buys["usd_high"]
    assert len(told["plan"]) == 20


def test_a_placeholder_that_produce_would_refuse_is_told_by_the_plan() -> None:
    nodes = graph()
    given = [
        replace(node, config={**node.config, "avatarId": "YOUR_AVATAR"}) if node.id == "head" else node
        for node in nodes
    ]
    [warning, _] = Here(real=("heygen",)).plan(given).warnings
    assert warning.startswith("nodes.head.config.avatarId would be refused: 'YOUR_AVATAR' is a placeholder.")
    assert Here().plan(given).warnings == ()


# What is paid for is named by the document or by the settings


def clip(**config: Any) -> Node:
    given = {"provider": "runway", "duration": 8, **config}
    return Node("lesson", "clip", "Clip", "generate-animation", {"prompt": ("script",)}, given)


def test_what_nobody_names_is_told_of_every_node_before_anything_is_written() -> None:
    with pytest.raises(DocumentError) as refused:
        Here(engine="").plan([*graph(), clip()])
    assert [str(problem) for problem in refused.value.problems] == [
        "nodes.head.config: The talking head names no engine and neither do the settings, and none is chosen for you; "
        "add 'engine' to the node's config, or set HEYGEN_ENGINE (on AWS: providers.heygen.engine in cdk.json).",
        "nodes.clip.config: The animation names no model and neither do the settings, and none is chosen for you; add "
        "'model' to the node's config, or set RUNWAY_MODEL (on AWS: providers.runway.model in cdk.json).",
    ]


def test_the_settings_engine_decides_the_price_where_the_document_names_none() -> None:
    nodes = graph(SCRIPT * 10)
    named = [replace(node, config={**HEAD, "engine": "avatar_iii"}) if node.id == "head" else node for node in nodes]
    cheap, usual = Here(engine="avatar_iii").plan(nodes), Here().plan(nodes)
    assert step(cheap, "head").usd < step(usual, "head").usd
    for engine in ("", "avatar_iv"):
        assert step(Here(engine=engine).plan(named), "head").usd == step(cheap, "head").usd


def test_what_is_not_known_is_refused_although_an_input_must_be_fetched_first() -> None:
    far = replace(graph()[0], asset={"type": "text", "source": "https://example.com/script.txt"})
    with pytest.raises(DocumentError, match=r"nodes\.clip\.config: .* names no model"):
        Here().plan([far, clip()])


def test_what_the_settings_model_does_not_make_is_refused() -> None:
    here = Here(model="gen4.5")
    with pytest.raises(DocumentError, match=r"nodes\.clip\.config: Runway's gen4\.5 makes no 16:9 picture of 1080p"):
        here.plan([*graph(), clip(resolution="1080p")])


def test_what_is_made_needs_no_engine_any_more() -> None:
    here = finished(graph())
    here.engine = ""
    assert here.plan(graph()).make == []


# The plan's name


def test_the_same_plan_has_the_same_name_and_may_be_produced() -> None:
    plan = Here().plan(graph())
    moved_since(plan.hash, Here().plan(graph()))


def expect_moved(given: Plan, now: Plan, words: str) -> None:
    with pytest.raises(RequestError, match=rf"something has moved: {words}\. Nothing was started\."):
        moved_since(given.hash, now)


@pytest.mark.parametrize(
    "nodes", [graph("Other words."), graph(speed=0.9), graph()[:3], [replace(graph()[0], id="text"), *graph()[1:]]]
)
def test_a_plan_ends_with_its_document(nodes: list[Node]) -> None:
    if nodes[0].id == "text":
        nodes[1] = replace(nodes[1], inputs={"script": ("text",)})
    expect_moved(Here().plan(graph()), Here().plan(nodes), "the document or the files that it names")


def test_a_plan_ends_with_what_is_made() -> None:
    expect_moved(Here().plan(graph()), finished(graph()).plan(graph()), "what is made or under way already")


@pytest.mark.parametrize(
    "here",
    [
        Here(prices='{"providers": {"heygen": {"models": {"avatar_iv": 0.01}}}}'),
        Here(real=("heygen",)),
        Here(engine="avatar_v"),
    ],
)
def test_a_plan_ends_with_its_terms(here: Here) -> None:
    with pytest.raises(RequestError, match="prices, settings or which providers are real"):
        moved_since(Here().plan(graph()).hash, here.plan(graph()))


def test_a_name_that_is_none_is_told_as_such() -> None:
    with pytest.raises(RequestError, match=r"'yes' is no plan; it looks like \w{6}-\w{6}-\w{6}\."):
        moved_since("yes", Here().plan(graph()))


# Differences of texts, and times


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ("one two three", "one  two\nthree", ""),
        ("one two three four five", "one two 3 four five", "“one two three four five” → “one two 3 four five”"),
        ("a b c d e f g", "a b c X e f Y", "“…b c d e f…” → “…b c X e f…”, and 1 more change"),
        ("", "all new", "“” → “all new”"),
    ],
)
def test_the_first_difference_is_shown_with_words_around_it(old: str, new: str, shown: str) -> None:
    assert text_change(old, new) == shown


def test_a_chain_takes_as_long_as_its_parts_and_a_busy_provider_as_long_as_its_queue() -> None:
    chain = [Work("a", "x", (), (1, 2)), Work("b", "y", ("a",), (3, 4))]
    assert makespan(chain, {}) == (4, 6)
    crowd = [Work(str(number), "x", (), (10, 20)) for number in range(6)]
    assert makespan(crowd, {"x": 2}) == (30, 60)
    assert makespan(crowd, {"x": 6}) == (10, 20)
    assert makespan([], {}) == (0, 0)


def test_real_heads_take_longer_than_drafts() -> None:
    assert likely("heygen", "live", (60, 60))[0] > likely("heygen", "draft", (60, 60))[1]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [((7.2, 52), "7 s to 52 s"), ((60, 181), "1 min to 3 min"), ((5, 5), "5 s"), ((0.2, 0.3), "1 s")],
)
def test_waiting_is_told_roughly(seconds: tuple[float, float], words: str) -> None:
    assert waiting(seconds) == words
