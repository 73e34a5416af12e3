"""The money protocol under random sequences of everything that can happen, against a provider that keeps a charge book.

Nodes `a` and `b` want the same result, and so does `d` of another pipeline; `c` consists of two, of which the first is
theirs as long as nobody edits. Either pipeline may be cancelled, and another version of the adapter be deployed, at any
time. Executions never go away: a superseded one may come back at any time and do its next step. After every step the
provider's book, the ledger and the records must agree; in the end everything that is left is driven to its end.
"""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.graphs import node, write
from tests.unit.memory import MemoryDynamo
from tests.unit.takes.stage import LIFE, ObedientProvider, made, voice
from video_production.errors import (
    MayHaveBeenPaid,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    RequestError,
    Superseded,
    TransientError,
    VideoProductionError,
)
from video_production.nodes.model import Desired, Node, NodeStatus, Output
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.interface import (
    Attempt,
    Destination,
    GenerationRequest,
    InputContent,
    Made,
    Progress,
    Submission,
    Unknown,
)
from video_production.scheduling.asking import Asking
from video_production.settings import ProviderSettings
from video_production.storage import StoredObject
from video_production.takes.buying import Buyer
from video_production.takes.entries import balance
from video_production.takes.ledger import Totals, micro
from video_production.takes.model import LedgerEvent, Take, TakeState
from video_production.takes.table import TAKE, TakeTable
from video_production.takes.wanted import parts_of

PRICE = 0.0024
PIPELINES = ("lesson", "other")
NODES = ("a", "b", "c", "d")
ANSWERS = (
    "accepted", "accepted", "accepted", "made", "refused", "busy", "other way", "lost, billed", "lost, unbilled",
    "dies before", "dies after", "dies after it was made",
)  # fmt: skip
STATES = ("running", "completed", "failed free", "failed charged", "failed unclear", "forgotten", "unreachable")
DEATHS = ("never", "never", "never", "never", "collecting", "collected", "joining", "joined")
DEADLINE = 3 * LIFE
SETTINGS = ProviderSettings("live", "", "secret", "main", 10, 60, 240, 60, deadline=DEADLINE)
MEANWHILE = ("nothing", "nothing", "nothing", "edit", "takeover", "rival", "cancel", "time", "hint", "deploy")


SCRIPT_HASH = hashlib.sha256(b"Hello.").hexdigest()
SUMS = ("reserved", "settled", "unknown")
UNDECIDED = (TakeState.UNKNOWN, TakeState.ABANDONED)


def pipeline_of(name: str) -> str:
    return "other" if name == "d" else "lesson"


def config_of(name: str, version: int) -> dict[str, Any]:
    """What a node asks for: `c` always consists of two pieces, some of which the others want, too."""
    if name != "c":
        return {"provider": "obedient", "speed": 1.0 + version * 0.01}
    return {"provider": "obedient", "pieces": [1.0, (1.5, 1.51, 1.01)[version % 3]]}


class Death(BaseException):
    """The function ends here, without a word."""


@dataclass
class Job:
    take: str
    attempt: str
    state: str = "running"


@dataclass
class Bank(ObedientProvider):
    """A provider with jobs and a charge book: one entry per attempt that costs."""

    answer: str = "accepted"
    meanwhile: Callable[[], None] = lambda: None
    knows: bool = True
    dies: str = "never"
    jobs: dict[str, Job] = field(default_factory=dict)
    book: dict[str, str] = field(default_factory=dict)
    posts: Counter[str] = field(default_factory=Counter)
    joined: dict[str, list[str]] = field(default_factory=dict)
    never: set[str] = field(default_factory=set)
    stops: bool = False
    stopping: Callable[[Job], None] = lambda job: None
    reserved: Callable[[Attempt], bool] = lambda attempt: False

    def parts(self, request: GenerationRequest) -> tuple[GenerationRequest, ...]:
        """One for each of the `pieces` that a node names, by their speeds."""
        whole = {key: value for key, value in request.config.items() if key != "pieces"}
        speeds = request.config.get("pieces", [whole["speed"]])
        return tuple(replace(request, config={**whole, "speed": float(speed)}) for speed in speeds)

    def assemble(self, parts: Sequence[Made], request: GenerationRequest, destination: Destination) -> Made:
        self.meanwhile()
        if self.dies == "joining":
            raise Death
        key = f"{destination.prefix}joined.mp3"
        self.joined[key] = [part.s3_key for part in parts]
        if self.dies == "joined":
            raise Death
        return Made("audio", destination.bucket, key, 1000, "ef" * 32, 5.0)

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made:
        if self.dies == "collecting":
            raise Death
        result = super().collect(external_id, progress, attempt)
        self.meanwhile()
        if self.dies == "collected":
            raise Death
        return result

    def submit(self, attempt: Attempt) -> Submission:
        assert self.reserved(attempt), "a request without a ledger record"
        self.meanwhile()
        if self.answer == "dies before":
            raise Death
        if attempt.id in self.never:  # somebody was told that it was never sent, so it must not be sent now
            raise ProviderRefused("Too late.", provider=self.name, code="not_sent", retry_after=5.0)
        self.posts[attempt.id] += 1
        if self.answer in ("refused", "busy", "other way"):
            raise ProviderRefused(
                self.answer,
                provider=self.name,
                retry_after=5.0 if self.answer == "busy" else None,
                fallback="timed" if self.answer == "other way" and attempt.way == "job" else None,
            )
        if self.answer == "lost, unbilled":
            raise ProviderAmbiguous("The connection was cut.", provider=self.name)
        job, take = f"job-{attempt.id}", attempt.destination.prefix.split("/")[1]
        self.jobs[job] = Job(take, attempt.id)
        self.book[attempt.id] = take
        if self.answer == "made" or self.answer == "dies after it was made":
            self.jobs[job].state = "completed"
        if self.answer.startswith("dies"):
            raise Death
        if self.answer == "lost, billed":
            raise ProviderAmbiguous("The answer was cut.", provider=self.name)
        return Submission(job, made(attempt, job) if self.answer == "made" else None)

    def check(self, external_id: str) -> Progress:
        self.meanwhile()
        job = self.jobs[external_id]
        if job.state == "forgotten":
            raise ProviderJobFailed("No such job.", provider=self.name, http_status=404)
        if job.state == "unreachable":
            job.state = "running"
            raise ProviderUnreachable("503", provider=self.name)
        if job.state == "stopped":
            return Progress("failed", "stopped", failure="Stopped.")
        if job.state.startswith("failed"):
            charged = {"free": False, "charged": True, "unclear": None}[job.state.split()[1]]
            return Progress("failed", "failed", failure="Model error.", charged=charged)
        return Progress("completed" if job.state == "completed" else "running", job.state)

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:
        self.meanwhile()
        found = [name for name, job in self.jobs.items() if job.attempt == attempt.id and name not in bound]
        if self.knows and not self.posts[attempt.id]:
            self.never.add(attempt.id)
            raise ProviderRefused("Never sent.", provider=self.name, code="not_sent", retry_after=0.0)
        if not found or not self.knows:
            return Unknown("the list shows nothing")
        return made(attempt, found[0]) if self.jobs[found[0]].state == "completed" else Submission(found[0])

    def cancel(self, external_id: str) -> bool:
        """A job that is stopped costs nothing, which nobody is told."""
        job = self.jobs[external_id]
        if not self.stops or job.state != "running":
            return False
        self.stopping(job)
        job.state = "stopped"
        del self.book[job.attempt]
        return True


class Shelf:
    """Storage in which everything lies."""

    def read(self, bucket: str, key: str, limit: int = 0) -> bytes:
        return self.kept.get(key, b"Hello.")

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def head(self, bucket: str, key: str) -> StoredObject:
        return StoredObject(bucket, key, 1000, "")

    def put_bytes(self, content: bytes, bucket: str, key: str, content_type: str) -> StoredObject:
        self.kept[key] = content
        return StoredObject(bucket, key, len(content), "")


class Protocol(RuleBasedStateMachine):
    """Every rule is one step of one actor; hypothesis chooses which, and makes failures short."""

    @initialize()
    def start(self) -> None:
        self.now, self.ids = 1_000_000.0, itertools.count(1)
        client = MemoryDynamo()
        self.nodes = NodeTable(client, "nodes", clock=self._clock)
        self.reports: Counter[str] = Counter()
        self.takes = TakeTable(client, "takes", "nodes", clock=self._clock, report=self._report)
        self.shelf = Shelf()
        self.bank = Bank(reserved=self._reserved, stopping=self._nobody_waits_for)
        self.asking = Asking(self.nodes, self.takes, None, "")
        script = Output("text", "script.txt", 6, SCRIPT_HASH, "bucket")
        for pipeline_id in PIPELINES:
            voices = [self._voice(name, 0) for name in NODES if pipeline_of(name) == pipeline_id]
            write(self.nodes, [replace(node("script", "asset"), pipeline_id=pipeline_id), *voices], {"script": script})
        self.claims: list[Claim] = []
        self.paid_by_choice: Counter[str] = Counter()
        self.results: dict[str, Made] = {}
        self.alerts: list[str] = []
        for name in NODES:
            self.claim(name)

    def _clock(self) -> float:
        """No two things happen at the same moment: whoever asks after a failure asks later."""
        self.now += 0.001
        return self.now

    def _report(self, name: str, value: float = 1, **dimensions: str) -> None:
        self.reports[name] += 1

    def _reserved(self, attempt: Attempt) -> bool:
        take = self.takes.get(attempt.destination.prefix.split("/")[1])
        assert take is not None
        events = {record["event"] for record in self.takes.ledger(take.id) if record["attempt"] == attempt.id}
        return take.state == TakeState.SUBMITTING and take.attempt == attempt.id and events == {LedgerEvent.RESERVED}

    def _status(self, name: str) -> NodeStatus:
        return self._node(name).status

    def _node(self, name: str) -> Node:
        found = self.nodes.node(pipeline_of(name), name)
        assert found is not None
        return found

    @staticmethod
    def _voice(name: str, version: int) -> Node:
        return replace(voice(name), pipeline_id=pipeline_of(name), config=config_of(name, version))

    def _nobody_waits_for(self, job: Job) -> None:
        """A job may be stopped when nobody who is not cancelled says that it follows it."""
        take = self.takes.get(job.take)
        assert take is not None
        for name in NODES:
            found, pipeline = self._node(name), self.nodes.pipeline(pipeline_of(name))
            assert pipeline is not None
            shown = found.metadata
            if found.status == NodeStatus.IN_PROGRESS and pipeline.desired != Desired.CANCELLED and "attempt" in shown:
                follows = shown["takes"][shown.get("part", 1) - 1], shown["attempt"]
                assert follows != (take.id, take.attempts[job.attempt].number), f"{name} waits for it"

    def _all_takes(self) -> list[Take]:
        keys = {key[0] for key in self.nodes.client.tables.get("takes", {}) if key[1] == TAKE}
        return [take for take in map(self.takes.get, sorted(keys)) if take]

    def _claim_of(self, which: int) -> Claim:
        """A node's current claim, mostly; else any claim there ever was."""
        found = self._node(NODES[which % len(NODES)])
        if which % 5 and found.process_uuid:
            return Claim(found.pipeline_id, found.id, found.process_uuid)
        return self.claims[which % len(self.claims)]

    def _interrupt(self, kind: str, claim: Claim) -> Callable[[], None]:
        def once() -> None:
            self._calm()
            if kind == "edit":
                self.nodes.edits.reset(claim.pipeline_id, claim.node_id)
            elif kind == "takeover":
                self.takeover(claim.node_id)
            elif kind == "rival":  # a second execution of the same node, while the first one talks to the provider
                self.takeover(claim.node_id)
                for step in (Buyer.submit, Buyer.check):
                    self._invoke(step, self.claims[-1], told=True)
            elif kind == "cancel":
                self.nodes.set_desired(claim.pipeline_id, Desired.CANCELLED)
            elif kind == "deploy":
                self.deploy()
            elif kind == "resolve":
                self.resolve(claim.node_id, ("adopt", "pay-again", "give-up")[next(self.ids) % 3])
            elif kind == "time":
                self.now += LIFE
            elif kind == "hint":  # a webhook or the sweep, while an execution talks to the provider
                self._follow(next(self.ids))

        return once

    def _act(self, step: Callable[[Buyer, Claim], Any], which: int, meanwhile: str, told: bool) -> None:
        """One invocation for some claim, perhaps superseded; its failure is written unless the function dies."""
        claim = self._claim_of(which)
        self.bank.meanwhile = self._interrupt(meanwhile, claim)
        self._invoke(step, claim, told)
        self._calm()

    def _invoke(self, step: Callable[[Buyer, Claim], Any], claim: Claim, told: bool) -> None:
        try:
            outcome = step(self._buyer(), claim)
            if told and outcome.status != "completed" and outcome.limit == 0:
                self.nodes.fail(claim, "It waited long enough.", "Polling.LimitReached")
        except (Death, Superseded, TransientError):
            pass
        except VideoProductionError as error:
            if told:
                self.nodes.fail(claim, str(error), type(error).__name__)

    def _buyer(self) -> Buyer:
        return Buyer(
            self.bank, SETTINGS, self.nodes, self.takes, self.shelf,  # type: ignore[arg-type]
            remaining=lambda: LIFE, alert=self.alerts.append, clock=self._clock, sleep=lambda seconds: None,
            new_id=lambda: f"t{next(self.ids)}", chance=lambda: 0.0,
        )  # fmt: skip

    def _follow(self, which: int) -> None:
        """Somebody says that a job should be looked at. That never sends anything."""
        takes = self._all_takes()
        if not takes:
            return
        before = sum(self.bank.posts.values())
        with suppress(Death, TransientError):
            self._buyer().follow(takes[which % len(takes)].id)
        assert sum(self.bank.posts.values()) == before

    # What can happen

    @rule(
        which=st.integers(0, 99),
        knows=st.booleans(),
        meanwhile=st.sampled_from(["nothing", "time", "edit", "takeover", "resolve"]),
        dies=st.sampled_from(DEATHS),
        stops=st.booleans(),
    )
    def hint(self, which: int, knows: bool, meanwhile: str, dies: str, stops: bool) -> None:
        self.bank.knows, self.bank.dies, self.bank.stops = knows, dies, stops
        self.bank.meanwhile = self._interrupt(meanwhile, self._claim_of(which))
        self._follow(which)
        self._calm()

    def _calm(self) -> None:
        self.bank.meanwhile, self.bank.dies, self.bank.stops = lambda: None, "never", False

    @rule(
        name=st.sampled_from(NODES),
        answer=st.sampled_from(ANSWERS),
        state=st.sampled_from(STATES),
        seconds=st.sampled_from([1.0, LIFE + 61]),
        knows=st.booleans(),
        wish=st.sampled_from(["run", "retry", "adopt", "pay-again", "give-up"]),
        deploys=st.booleans(),
        hinted=st.booleans(),
    )
    def work(
        self, name: str, answer: str, state: str, seconds: float, knows: bool, wish: Any, deploys: bool, hinted: bool
    ) -> None:
        """The usual course of things, so that random steps start from everywhere: ask, claim, submit, follow."""
        self.owner_wants(name, Desired.RUN)
        if self._status(name) == NodeStatus.COMPLETED:
            self.edit(name, next(self.ids) % 9)
        if wish in ("run", "retry"):
            self.retry(name, wish)
        else:
            self.resolve(name, wish)
        self.claim(name)
        which = self._number_of(name)
        self.submit(which, answer, "nothing", True)
        running = [job for job in self.bank.jobs.values() if job.state == "running"]
        if running:
            self.job_moves(len(running) - 1, state, knows)
        if deploys:
            self.deploy()
        if hinted:
            self._follow_all()
        for _ in range(2):
            self.now += seconds
            self.check(which, knows, "nothing", True)
            if deploys:  # whatever was begun, another version of the adapter is asked to go on with it
                self.submit(which, "accepted", "nothing", True)

    @rule(
        names=st.permutations(NODES),
        version=st.integers(3, 8),
        answer=st.sampled_from(ANSWERS),
        cancelled=st.sampled_from(PIPELINES),
        by=st.sampled_from(["the sweep", "a node", "another node"]),
        later=st.booleans(),
    )
    def share(self, names: Sequence[str], version: int, answer: str, cancelled: str, by: str, later: bool) -> None:
        """Two nodes want one job, and one of their pipelines is cancelled."""
        first, second = names[:2]
        for name in (first, second):
            self.owner_wants(name, Desired.RUN)
            self.edit(name, version)
            self.claim(name)
        self.submit(self._number_of(first), answer, "nothing", True)
        self.submit(self._number_of(second), "accepted", "nothing", True)
        if later:  # a lost request may turn out never to have been sent, and either of them sends it again
            self.now += LIFE + 61
            self.check(self._number_of(first), True, "nothing", True)
            self.submit(self._number_of(second), "accepted", "nothing", True)
            self.check(self._number_of(first), True, "nothing", True)
        self.nodes.set_desired(cancelled, Desired.CANCELLED)
        if by == "the sweep":
            self.bank.stops = True
            self._follow_all()
            self._calm()
        else:
            self.check(self._number_of(first if by == "a node" else second), True, "nothing", True, stops=True)

    def _number_of(self, name: str) -> int:
        """A `which` that means the node's current claim."""
        return next(n for n in range(1, 100) if NODES[n % len(NODES)] == name and n % 5)

    def _follow_all(self) -> None:
        for number, _ in enumerate(self._all_takes()):
            self._follow(number)

    def claim(self, name: str) -> None:
        pipeline = self.nodes.pipeline(pipeline_of(name))
        assert pipeline is not None
        taken = self.nodes.claim(pipeline, name, f"p{next(self.ids)}")
        if taken:
            self.claims.append(taken)

    @rule(
        which=st.integers(0, 99),
        answer=st.sampled_from(ANSWERS),
        meanwhile=st.sampled_from(MEANWHILE),
        told=st.booleans(),
    )
    def submit(self, which: int, answer: str, meanwhile: str, told: bool) -> None:
        self.bank.answer = answer
        self._act(Buyer.submit, which, meanwhile, told)

    @rule(
        which=st.integers(0, 99),
        knows=st.booleans(),
        meanwhile=st.sampled_from(MEANWHILE),
        told=st.booleans(),
        dies=st.sampled_from(DEATHS),
        stops=st.booleans(),
    )
    def check(
        self, which: int, knows: bool, meanwhile: str, told: bool, dies: str = "never", stops: bool = False
    ) -> None:
        self.bank.knows, self.bank.dies, self.bank.stops = knows, dies, stops
        self._act(Buyer.check, which, meanwhile, told)

    @precondition(lambda self: any(job.state == "running" for job in self.bank.jobs.values()))
    @rule(which=st.integers(0, 99), state=st.sampled_from(STATES), billed=st.booleans())
    def job_moves(self, which: int, state: str, billed: bool) -> None:
        running = [job for job in self.bank.jobs.values() if job.state == "running"]
        self._moves(running[which % len(running)], state, billed)

    @precondition(lambda self: any(job.state == "forgotten" for job in self.bank.jobs.values()))
    @rule(which=st.integers(0, 99), state=st.sampled_from(STATES), billed=st.booleans())
    def a_lost_job_turns_up(self, which: int, state: str, billed: bool) -> None:
        """The provider knows a job again that it did not know, and a webhook says so."""
        lost = [(name, job) for name, job in self.bank.jobs.items() if job.state == "forgotten"]
        name, job = lost[which % len(lost)]
        self._moves(job, state, billed)
        take_id = self._buyer().take_of(name)
        before = self.takes.get(take_id) if take_id else None
        if before is None:
            return
        followed = self._buyer().follow(before.id)
        if (before.state, before.current.external_id, state) == (TakeState.UNKNOWN, name, "completed"):
            assert followed.made

    def _moves(self, job: Job, state: str, billed: bool) -> None:
        job.state = state
        if state == "failed free" or (state == "failed unclear" and not billed):
            del self.bank.book[job.attempt]

    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    def edit(self, name: str, version: int) -> None:
        """`a` and `b` of one version want the same result; going back to an earlier version is an edit, too."""
        self.nodes.edits.reset(pipeline_of(name), name)
        self.nodes.edits.save_structure(self._voice(name, version))

    def deploy(self) -> None:
        """Another version of the adapter, or the one before again."""
        self.bank.adapter_version = 3 - self.bank.adapter_version

    def takeover(self, name: str) -> None:
        found = self._node(name)
        if found.process_uuid and found.status == NodeStatus.IN_PROGRESS:
            fresh = self.nodes.reclaim(Claim(found.pipeline_id, name, found.process_uuid), f"p{next(self.ids)}")
            assert fresh is not None
            self.claims.append(fresh)

    def _takes_of(self, name: str) -> list[Take]:
        """The takes that a node wants, of either version of the adapter, whether it shows them or not."""
        found = self._node(name)
        config = self.bank.effective_config(found.type, found.config)
        request = GenerationRequest(found.type, config, {"script": (InputContent("text", SCRIPT_HASH),)})
        versions = [replace(self.bank, adapter_version=version) for version in (1, 2)]
        ids = [part.take_id for bank in versions for part in parts_of(request, bank, SETTINGS)]
        return [take for take in map(self.takes.get, dict.fromkeys(ids)) if take]

    def retry(self, name: str, asked: Any) -> None:
        self.now += 1
        try:
            self.asking.retry(pipeline_of(name), name, asked)
        except (RequestError, MayHaveBeenPaid):
            return
        if asked == "retry":  # by name: the person accepts to pay again for a job that failed
            self.paid_by_choice.update(take.id for take in self._takes_of(name) if take.state == TakeState.FAILED)

    def owner_wants(self, name: str, desired: Desired) -> None:
        self.nodes.set_desired(pipeline_of(name), desired)

    def resolve(self, name: str, resolution: Any) -> None:
        found = self._node(name)
        undecided = [take for take in self.asking.takes_of(found) if take.state in UNDECIDED]
        own = [job for job, entry in self.bank.jobs.items() if undecided and entry.attempt == undecided[0].attempt]
        if resolution == "adopt" and not own:
            return  # a person adopts what the provider shows
        named = own[0] if own else ""
        try:
            self.asking.resolve(pipeline_of(name), name, resolution, who="ada", why="-", external_id=named)
        except RequestError:
            return
        if resolution == "pay-again":
            self.paid_by_choice[undecided[0].id] += 1

    @rule(
        kind=st.sampled_from(["claim", "edit", "takeover", "retry", "resolve", "cancel", "want", "time", "deploy"]),
        name=st.sampled_from(NODES),
        version=st.integers(0, 2),
        asked=st.sampled_from(["run", "retry"]),
        resolution=st.sampled_from(["adopt", "pay-again", "give-up"]),
        seconds=st.sampled_from([1.0, 30.0, LIFE + 61]),
    )
    def something_happens(
        self, kind: str, name: str, version: int, asked: Any, resolution: Any, seconds: float
    ) -> None:
        happenings: dict[str, Callable[[], None]] = {
            "claim": lambda: self.claim(name),
            "edit": lambda: self.edit(name, version),
            "takeover": lambda: self.takeover(name),
            "retry": lambda: self.retry(name, asked),
            "resolve": lambda: self.resolve(name, resolution),
            "cancel": lambda: self.owner_wants(name, Desired.CANCELLED),
            "want": lambda: self.owner_wants(name, Desired.RUN),
            "time": lambda: self.time_passes(seconds),
            "deploy": self.deploy,
        }
        happenings[kind]()

    # What must hold

    @invariant()
    def nobody_pays_twice_unless_a_person_said_so(self) -> None:
        assert all(count == 1 for count in self.bank.posts.values())
        for take, charges in Counter(self.bank.book.values()).items():
            assert charges <= 1 + self.paid_by_choice[take]

    @invariant()
    def one_wish_pays_for_each_part_once(self) -> None:
        """Whatever is deployed meanwhile. A wish is an edit, or a person who asks again."""
        wishes: dict[tuple[str, float], list[str]] = {}
        for take in self._all_takes():
            for attempt in take.attempts.values():
                if attempt.id in self.bank.book:
                    wishes.setdefault((attempt.node_id, attempt.asked_at), []).append(take.id)
        for (name, _), bought in wishes.items():
            chosen = sum(self.paid_by_choice[take] for take in set(bought))
            assert len(bought) <= (2 if name == "c" else 1) + chosen

    @invariant()
    def the_ledger_knows_what_the_provider_charges(self) -> None:
        for take in self._all_takes():
            known = unknown = 0
            events: dict[str, set[str]] = {}
            for record in self.takes.ledger(take.id):
                events.setdefault(record["attempt"], set()).add(record["event"])
            for told in events.values():
                assert LedgerEvent.RESERVED in told
                assert not {LedgerEvent.SETTLED, LedgerEvent.REFUNDED} <= told
                known += LedgerEvent.SETTLED in told
                unknown += not {LedgerEvent.SETTLED, LedgerEvent.REFUNDED} & told
            book = sum(1 for owner in self.bank.book.values() if owner == take.id)
            assert known <= book <= known + unknown

    @invariant()
    def the_sums_are_those_of_the_entries_and_admit_the_bill(self) -> None:
        entries = [entry for pipeline_id in PIPELINES for entry in self.takes.entries(pipeline_id)]
        assert balance(entries).admits(PRICE * len(self.bank.book))
        charged = {entry.attempt for entry in entries if entry.state != LedgerEvent.REFUNDED}
        assert charged == {
            attempt.id
            for take in self._all_takes()
            for attempt in take.attempts.values()
            if attempt.state != TakeState.REFUSED and attempt.charged is not False
        }
        whole = Counter[str]()
        for pipeline_id in PIPELINES:
            sums = Counter[str]()
            for entry in self.takes.entries(pipeline_id):
                sums[str(entry.state)] += micro(entry.usd)
            assert self._sums(self.takes.totals(pipeline_id, "live")) == [sums[name] for name in SUMS]
            whole.update(sums)
        assert self._sums(self.takes.totals_of_month("1970-01", "live")) == [whole[name] for name in SUMS]

    @staticmethod
    def _sums(totals: Totals) -> list[int]:
        return [micro(usd) for usd in (totals.reserved, totals.settled, totals.unknown)]

    @invariant()
    def a_result_never_changes(self) -> None:
        for take in self._all_takes():
            if take.made:
                assert take.state == TakeState.MADE
                assert self.results.setdefault(take.id, take.made) == take.made
            assert (take.state == TakeState.MADE) == (take.made is not None)
            assert take.id not in self.results or take.made

    @invariant()
    def one_attempt_at_a_time_is_under_way(self) -> None:
        for take in self._all_takes():
            states = [attempt.state for attempt in take.attempts.values()]
            assert states.count(TakeState.SUBMITTING) + states.count(TakeState.SUBMITTED) <= 1
            assert take.state in (take.current.state, TakeState.RELEASED, TakeState.ABANDONED)

    @invariant()
    def the_sweep_sees_exactly_what_is_under_way(self) -> None:
        for take in self._all_takes():
            item = self.takes.table.get({"take_id": take.id, "record": "take"})
            assert item is not None
            under_way = take.state in (TakeState.SUBMITTING, TakeState.SUBMITTED)
            assert item.get("open") == ("obedient" if under_way else None)
            assert item.get("open_since") == (take.current.sent_at if under_way else None)

    @invariant()
    def what_is_spent_is_counted_once(self) -> None:
        settled = [r for take in self._all_takes() for r in self.takes.ledger(take.id) if r["event"] == "settled"]
        assert self.reports["SpendUSD"] == len(settled)

    @invariant()
    def every_job_that_was_answered_is_known(self) -> None:
        """Neither the id nor the result of a paid job is lost: it stands in its attempt."""
        assert self.alerts == []

    @invariant()
    def a_completed_node_holds_a_result_that_was_made(self) -> None:
        for name in NODES:
            found = self._node(name)
            assert (found.status == NodeStatus.COMPLETED) == (found.output is not None)
            if found.output:
                ids = found.metadata["takes"]
                made_here = [take.made.s3_key for take in map(self.takes.get, ids) if take and take.made]
                held = self.bank.joined.get(found.output.s3_key, [found.output.s3_key])
                assert held == made_here
                assert len(held) == len(ids) == (2 if name == "c" else 1)

    def teardown(self) -> None:
        """Whatever happened before: no node stays in progress, and nothing that is paid for stays forgotten."""
        if not hasattr(self, "bank"):
            return
        self._calm()
        for pipeline_id in PIPELINES:
            self.nodes.set_desired(pipeline_id, Desired.RUN)
        self.bank.answer, self.bank.knows = "accepted", True
        for _ in range(8):
            self.now += LIFE + 61
            for job in self.bank.jobs.values():
                job.state = "completed" if job.state in ("running", "unreachable") else job.state
            self._follow_all()
            for name in NODES:
                self.claim(name)
                found = self._node(name)
                if found.process_uuid and found.status == NodeStatus.IN_PROGRESS:
                    for step in (Buyer.check, Buyer.submit):
                        self._invoke(step, Claim(found.pipeline_id, name, found.process_uuid), told=True)
        assert {self._status(name) for name in NODES} <= {NodeStatus.COMPLETED, NodeStatus.FAILED}
        assert {take.state for take in self._all_takes()}.isdisjoint({TakeState.SUBMITTING, TakeState.SUBMITTED})
        self.nobody_pays_twice_unless_a_person_said_so()
        self.the_ledger_knows_what_the_provider_charges()


_COMMON: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}
Protocol.TestCase.settings = settings(max_examples=70, stateful_step_count=40, **_COMMON)
TestProtocol = Protocol.TestCase


class Thorough(Protocol):
    """The same, searched for longer: part of the fault campaign."""


Thorough.TestCase.settings = settings(max_examples=1_500, stateful_step_count=60, **_COMMON)
TestProtocolThoroughly = pytest.mark.slow(Thorough.TestCase)
