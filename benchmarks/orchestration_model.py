"""Runs many pipelines in simulated time: the real scheduler, buyer and tables; only AWS and the provider are played.

What is real: `Scheduler`, `Dispatcher`, `Buyer`, `NodeTable`, `TakeTable` and every condition and transaction that they
write, on DynamoDB in memory. What is played: the clock, Step Functions and Lambda (a call takes `CALL` seconds, a start
`START`), SQS (`MESSAGE`), a bucket in memory, and a provider that allows so many jobs at once and refuses more with
429. One thing happens at a time; what happens to several at once is for the tests of races.
"""

from __future__ import annotations

import heapq
import itertools
import json
import random
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from tests.unit.memory import MemoryDynamo
from video_production.errors import MediaError, ProviderRefused, Superseded, VideoProductionError
from video_production.nodes.model import Desired, Node, Output, Pipeline
from video_production.nodes.table import Claim, NodeTable
from video_production.pipelines.graph import users_of
from video_production.providers.interface import (
    Attempt,
    GenerationRequest,
    Made,
    OneRequest,
    Price,
    Progress,
    Submission,
    Unknown,
)
from video_production.scheduling.failures import Failure
from video_production.scheduling.scheduler import Scheduler
from video_production.settings import FunctionSettings, ProviderSettings
from video_production.takes.buying import Buyer
from video_production.takes.table import TakeTable

__all__ = ["PROVIDER", "Measured", "PlayedProvider", "Simulation", "head", "step"]

PROVIDER = "heygen"
START = 0.1
"""Seconds from StartExecution to the first state."""
CALL = 0.2
"""Seconds that a state with a function takes, with what the function reads and writes."""
MESSAGE = 0.2
"""Seconds that a message takes through a queue."""
WATCH = 60.0
"""Seconds after which the pipeline machine looks again."""
SWEEP = 300.0


def head(pipeline_id: str, node_id: str, inputs: Sequence[str] = ()) -> Node:
    """A node that the provider makes."""
    slots = {"segments": tuple(inputs)} if inputs else {}
    title = f"{pipeline_id} {node_id}"
    return Node(pipeline_id, node_id, title, "generate-talking-head", slots, {"provider": PROVIDER, "of": title})


def step(pipeline_id: str, node_id: str, inputs: Sequence[str] = ()) -> Node:
    """A node that a function of ours makes."""
    return Node(pipeline_id, node_id, node_id, "mix-audio", {"segments": tuple(inputs)} if inputs else {}, {})


@dataclass
class PlayedProvider(OneRequest):
    """Takes `allows` jobs at once; a job lasts as `seconds` says."""

    clock: Callable[[], float]
    allows: int
    seconds: Callable[[], float]
    ends: dict[str, float] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)
    most: int = 0
    refused: int = 0
    work: float = 0.0
    told: Callable[[str, float], None] = lambda _, __: None
    name: str = PROVIDER
    title: str = "HeyGen"
    adapter_version: int = 1

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002
        return dict(config)

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:  # noqa: ARG002
        return "job"

    @property
    def under_way(self) -> int:
        return sum(end > self.clock() for end in self.ends.values())

    def submit(self, attempt: Attempt) -> Submission:
        if self.under_way >= self.allows:
            self.refused += 1
            raise ProviderRefused("Too many jobs.", provider=self.name, code="429", http_status=429, retry_after=10.0)
        job, seconds = f"job-{len(self.ends)}", self.seconds()
        self.ends[job] = self.clock() + seconds
        self.work += seconds
        self.accepted.append(str(attempt.request.config["of"]))
        self.most = max(self.most, self.under_way)
        self.told(job, seconds)
        return Submission(job)

    def check(self, external_id: str) -> Progress:
        over = self.ends[external_id] <= self.clock()
        return Progress("completed", "completed") if over else Progress("running", "processing")

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made:  # noqa: ARG002
        where = attempt.destination
        return Made("video", where.bucket, f"{where.prefix}v.mp4", 1, "ab" * 32, 1.0, external_id)

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:  # noqa: ARG002
        return Unknown("nothing is ever lost here")

    def cancel(self, external_id: str) -> bool:  # noqa: ARG002
        return False

    def price(self, request: GenerationRequest) -> Price:  # noqa: ARG002
        return Price(1, "seconds", 0.0)


class _Bucket:
    """What the buyer needs of a bucket."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def put_bytes(self, content: bytes, bucket: str, key: str, content_type: str) -> None:  # noqa: ARG002
        self._objects[key] = content

    def read(self, bucket: str, key: str, limit: int = 0) -> bytes:  # noqa: ARG002
        if key not in self._objects:
            raise MediaError("gone")
        return self._objects[key]

    def head(self, bucket: str, key: str) -> Any:  # noqa: ARG002
        return SimpleNamespace(size=1)


class _Counted:
    """A DynamoDB client whose calls are counted."""

    def __init__(self, client: MemoryDynamo) -> None:
        self._client = client
        self.exceptions = client.exceptions
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)

        def counted(**request: Any) -> Any:
            self.calls[name] += 1
            return method(**request)

        return counted


@dataclass(frozen=True)
class Measured:
    """What a run was like. Times in simulated seconds; `in_turn`: how far a start was ahead of its turn at most."""

    makespan: float
    bound: float
    most_under_way: int
    refused: int
    outcomes: Mapping[str, int]
    in_turn: int
    calls: Mapping[str, int]

    @property
    def ratio(self) -> float:
        return self.makespan / self.bound


class Simulation:
    """Pipelines on a played AWS. `webhooks`: the provider reports the end of a job; else it is asked."""

    def __init__(
        self,
        *,
        limit: int,
        allows: int | None = None,
        job_seconds: Callable[[random.Random], float] = lambda _: 60.0,
        node_seconds: float = 10.0,
        webhooks: bool = True,
        watch: float = WATCH,
        settings: ProviderSettings | None = None,
        seed: int = 1,
    ) -> None:
        self.now = 0.0
        self.limit = limit
        self.node_seconds = node_seconds
        self.watch = watch
        self._chance = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._ids = itertools.count()
        self.dynamodb = _Counted(MemoryDynamo())
        self.nodes = NodeTable(self.dynamodb, "nodes", clock=lambda: self.now)
        self.takes = TakeTable(self.dynamodb, "takes", "nodes", clock=lambda: self.now)
        self.provider = PlayedProvider(lambda: self.now, allows or limit, lambda: job_seconds(self._chance))
        if webhooks:
            self.provider.told = lambda job, seconds: self._after(seconds + MESSAGE, partial(self._webhook, job))
        self.settings = settings or FunctionSettings.from_environment({"JIKI_ENVIRONMENT": "x"}).provider(PROVIDER)
        self._started: set[str] = set()
        self._over: dict[str, float] = {}
        self.scheduler = Scheduler(
            self.nodes,
            self.takes,
            self,
            "node-machine",
            limits={PROVIDER: limit},
            clock=lambda: self.now,
            new_id=lambda: f"p{next(self._ids)}",
        )
        self.buyer = Buyer(
            self.provider,
            self.settings,
            self.nodes,
            self.takes,
            _Bucket(),  # type: ignore[arg-type]
            remaining=lambda: 900.0,
            alert=lambda _: None,
            clock=lambda: self.now,
            new_id=lambda: f"a{next(self._ids)}",
        )

    # Step Functions, as the scheduler sees it

    class exceptions:  # noqa: N801
        class ExecutionAlreadyExists(Exception):
            pass

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, str]:  # noqa: N803, ARG002
        if name not in self._started:
            self._started.add(name)
            self._after(START, partial(self._run, Claim.from_event(json.loads(input))))
        return {"executionArn": name}

    # Asking for pipelines

    def ask(self, pipeline_id: str, nodes: Sequence[Node], at: float = 0.0) -> None:
        """Publish a pipeline at a moment, and run it."""
        self._after(at, partial(self._publish, pipeline_id, nodes))

    def _publish(self, pipeline_id: str, nodes: Sequence[Node]) -> None:
        edit = self.nodes.edits.begin(pipeline_id)
        users = users_of({node.id: node.input_ids for node in nodes})
        for node in nodes:
            self.nodes.edits.reset(pipeline_id, node.id, edit)
            self.nodes.edits.save_structure(replace(node, users=tuple(users[node.id])), edit)
        ids = tuple(node.id for node in nodes)
        self.nodes.edits.publish(Pipeline(pipeline_id, pipeline_id, 0, Desired.RUN, ids, ids[-1], "bucket", ""), edit)
        self._after(CALL, partial(self._watch, pipeline_id))

    # The machines

    def _watch(self, pipeline_id: str) -> None:
        self._schedule(pipeline_id)
        if pipeline_id not in self._over:
            self._after(self.watch, partial(self._watch, pipeline_id))

    def _schedule(self, pipeline_id: str, **why: str) -> None:
        if pipeline_id in self._over:
            return
        if self.scheduler.take({"pipeline_id": pipeline_id, **why}):
            self._over[pipeline_id] = self.now

    def _run(self, claim: Claim) -> None:
        node = self.nodes.node(claim.pipeline_id, claim.node_id)
        assert node is not None
        if node.type.startswith("generate-"):
            self._after(CALL, partial(self._step, claim, self.buyer.submit))
        else:
            self._after(self.node_seconds, partial(self._made, claim))

    def _made(self, claim: Claim) -> None:
        self.nodes.complete(claim, Output("video", "v.mp4", 1, "00" * 32, "bucket", duration=1.0))
        self._after(CALL, partial(self._schedule, claim.pipeline_id, node_id=claim.node_id))

    def _step(self, claim: Claim, act: Callable[[Claim], Any]) -> None:
        try:
            step = act(claim)
        except Superseded:
            step = None
        except VideoProductionError as error:
            self.scheduler.fail(claim, Failure(type(error).__name__, str(error)))
            step = None
        if step is None or step.status == "completed":
            self._after(CALL, partial(self._schedule, claim.pipeline_id, node_id=claim.node_id))
            return
        again = self.buyer.submit if step.status == "resubmit" else self.buyer.check
        self._after(step.wait_seconds + CALL, partial(self._step, claim, again))

    def _webhook(self, job: str) -> None:
        take = self.buyer.take_of(job)
        assert take is not None
        followed = self.buyer.follow(take)
        self._after(MESSAGE, partial(self._schedule, followed.pipeline_id, provider=PROVIDER))

    def _sweep(self) -> None:
        self.scheduler.take({"provider": PROVIDER})
        self._after(SWEEP, self._sweep)

    # Time

    def _after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._order), what))

    def run(self, pipelines: int, critical_path: float, *, longest: float = 1e7) -> Measured:
        """Until all pipelines are over. `critical_path` is what one of them takes at least, in seconds."""
        self._after(SWEEP, self._sweep)
        while len(self._over) < pipelines and self.now < longest:
            self.now, _, what = heapq.heappop(self._events)
            what()
            assert self.provider.under_way <= self.provider.allows
        makespan = max(self._over.values(), default=self.now)
        outcomes = Counter(
            found.outcome.status if (found := self.nodes.pipeline(name)) and found.outcome else "none"
            for name in self._over
        )
        return Measured(
            makespan=makespan,
            bound=max(critical_path, self.provider.work / self.limit),
            most_under_way=self.provider.most,
            refused=self.provider.refused,
            outcomes=outcomes,
            in_turn=_ahead(self.provider.accepted),
            calls=dict(self.dynamodb.calls),
        )


def _ahead(accepted: Sequence[str]) -> int:
    """How many others a job overtook at most; jobs are named so that their names sort in the order of asking."""
    return max((sum(later < job for later in accepted[at:]) for at, job in enumerate(accepted)), default=0)
