"""One small world: a pipeline of an input and a node that is paid for, tables, storage, a stand-in, and who runs them.

Step Functions is played by `Conductor`: it starts executions, repeats what failed in passing, waits (on a clock that
jumps), tells the scheduler of failures and sweeps, as the state machines and the queues do.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stand_ins.server import StandInServer, serve
from tests.faults.clock import CLOCK
from tests.faults.subjects import Subject
from tests.faults.taps import Fault, Killed, Point, Tap, lost_answer
from tests.unit.graphs import write
from tests.unit.memory import MemoryDynamo
from video_production import secrets
from video_production.errors import MayHaveBeenPaid, RequestError, Superseded, TransientError
from video_production.nodes.model import Node, NodeStatus, Output
from video_production.nodes.table import Claim, NodeTable
from video_production.providers import sending
from video_production.providers.registry import provider_class
from video_production.scheduling.asking import Asking
from video_production.scheduling.scheduler import Scheduler
from video_production.settings import PROVIDER_FACTS, FunctionSettings
from video_production.storage import Storage
from video_production.takes.buying import Buyer, Step
from video_production.takes.model import Take, TakeState
from video_production.takes.table import TakeTable

__all__ = ["PIPELINE", "World"]

PIPELINE, NODE = "lesson", "bought"
_LIFE = {"submit": 300.0, "check": 150.0, "schedule": 30.0}
"""Seconds that an invocation may live."""
_REPEATS = 8
_ROUNDS = 60
_PASSES = 30
_SHORTEST_REST, _LONGEST_REST = 0.06, 0.5
"""Real seconds that a stand-in gets for its work between two looks at it."""
_real_send = sending.send


class _Exists(Exception):
    pass


class _States:
    """Step Functions, as far as the scheduler sees it: executions by name, each once."""

    class exceptions:  # noqa: N801 (as boto3 spells it)
        ExecutionAlreadyExists = _Exists

    def __init__(self, tap: Tap) -> None:
        self.waiting: list[Claim] = []
        self.known: dict[str, bool] = {}
        self._tap = tap

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> dict[str, Any]:  # noqa: N803
        result: dict[str, Any] = self._tap.around("execution", "start execution", lambda: self._start(name, input))
        return result

    def _start(self, name: str, given: str) -> dict[str, Any]:
        if name in self.known:
            if self.known[name]:
                raise _Exists
            return {}
        self.known[name] = False
        self.waiting.append(Claim.from_event(json.loads(given)))
        return {}


class World:
    """Everything of one case. Use it as a context: its stand-in serves inside."""

    def __init__(self, subject: Subject, folder: Path, s3: Any) -> None:
        CLOCK.reset()
        self.subject = subject
        self.tap = Tap()
        self.s3 = s3
        self.bucket = f"case-{uuid.uuid4().hex}"
        s3.create_bucket(Bucket=self.bucket)
        self.home = folder / "stand-in"
        self.workspace, application = subject.stand_in(self.home)
        self._server = StandInServer(application)
        self._serving = serve(self._server)
        self.memory = MemoryDynamo()
        tables = self.tap.tables(self.memory)
        self.nodes = NodeTable(tables, "nodes", clock=CLOCK.now)
        self.takes = TakeTable(tables, "takes", "nodes", clock=CLOCK.now)
        self.storage = Storage(self.tap.storage(s3))
        self.states = _States(self.tap)
        self.alerts: list[str] = []
        self.life = 0.0
        self.fault: Fault | None = None
        self.running: tuple[str, Claim] | None = None

    def __enter__(self) -> World:
        self._serving.__enter__()
        sending.send = self.tap.sending(_real_send)
        upper = self.subject.provider.upper()
        variables = {
            "JIKI_ENVIRONMENT": "local",
            f"{upper}_MODE": "draft",
            f"{upper}_BASE_URL": self._server.url,
            **{f"{upper}_{name.upper()}": value for name, value in self.subject.options.items()},
        }
        settings = FunctionSettings.from_environment(variables)
        self.settings = settings.provider(self.subject.provider)
        secrets.LazyClient = _secrets(self.subject.secret(self.home))  # type: ignore[misc,assignment]
        self.provider = provider_class(self.subject.provider).from_settings(settings, self.storage)
        self.scheduler = Scheduler(
            self.nodes,
            self.takes,
            self.states,
            "node-machine",
            limits={name: facts.concurrency for name, facts in PROVIDER_FACTS.items()},
            clock=CLOCK.now,
        )
        self.asking = Asking(self.nodes, self.takes, self.states, "pipeline-machine")
        self._publish()
        return self

    def __exit__(self, *error: object) -> None:
        sending.send = _real_send
        self._serving.__exit__(None, None, None)
        self.workspace.close()

    def _publish(self) -> None:
        subject = self.subject
        self.tap.quiet = True
        self.s3.put_object(Bucket=self.bucket, Key="input", Body=subject.content)
        digest = hashlib.sha256(subject.content).hexdigest()
        given = Output(subject.media, "input", len(subject.content), digest, self.bucket, subject.seconds)  # type: ignore[arg-type]
        graph = [
            Node(PIPELINE, "input", "Input", "asset"),
            Node(
                PIPELINE,
                NODE,
                "Bought",
                subject.type,
                {subject.slot: ("input",)},
                {"provider": subject.provider, **subject.config},
            ),
        ]
        write(self.nodes, graph, {"input": given})
        self.tap.quiet = False

    # What is there

    def node(self) -> Node:
        found = self.nodes.node(PIPELINE, NODE)
        assert found is not None
        return found

    def all_takes(self) -> list[Take]:
        """Every take there is, whether a node shows it or not."""
        ids = [take_id for take_id, record in self.memory.tables.get("takes", {}) if record == "take"]
        return [take for take_id in ids if (take := self.takes.get(take_id))]

    def open_takes(self) -> list[Take]:
        return [take for take in self.all_takes() if take.state in (TakeState.SUBMITTING, TakeState.SUBMITTED)]

    def content(self) -> bytes:
        """The node's file."""
        output = self.node().output
        assert output is not None
        body: bytes = self.s3.get_object(Bucket=output.bucket, Key=output.s3_key)["Body"].read()
        return body

    # Who works

    def buyer(self) -> Buyer:
        end = CLOCK.now() + self.life
        return Buyer(
            self.provider,
            self.settings,
            self.nodes,
            self.takes,
            self.storage,
            remaining=lambda: end - CLOCK.now(),
            alert=self.alerts.append,
            clock=CLOCK.now,
            sleep=CLOCK.sleep,
        )

    def invoke(self, function: str, claim: Claim) -> Step | None:
        """One invocation of a submitter or a poller; None where the claim is not current any more."""
        before = (self.life, self.running)
        self.life, self.running = _LIFE[function], (function, claim)
        buyer = self.buyer()
        try:
            act = buyer.submit if function == "submit" else buyer.check
            step: Step = self.tap.around("function", f"answer of {function}", lambda: act(claim))
            return step
        except Superseded:
            return None
        finally:
            self.life, self.running = before

    def look(self, take_id: str) -> None:
        """What a webhook or the sweep leads to: the poller looks at a job for nobody in particular."""
        self.life = _LIFE["check"]
        self.buyer().follow(take_id)
        self._patiently(lambda: self.scheduler.take({"pipeline_id": PIPELINE, "provider": self.subject.provider}))

    def schedule(self, **message: Any) -> Any:
        self.life = _LIFE["schedule"]
        return self._patiently(lambda: self.scheduler.take({"pipeline_id": PIPELINE, **message}))

    def execute(self, claim: Claim) -> None:
        """The node machine, from its start to its end."""
        function = "submit"
        for number in range(_ROUNDS):
            try:
                step = self._patiently(lambda: self.invoke(function, claim))  # noqa: B023 (called at once)
            except Exception as error:  # noqa: BLE001 (the machine catches everything)
                cause = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})
                failure = {"Error": type(error).__name__, "Cause": cause}
                self._end(claim, process_uuid=claim.process_uuid, failure=failure)
                return
            if step is None or step.status == "completed":
                self._end(claim)
                return
            if step.limit == 0:
                break
            CLOCK.skip(step.wait_seconds)
            if any(take.state == TakeState.SUBMITTED for take in self.all_takes()):
                CLOCK.rest(min(_LONGEST_REST, _SHORTEST_REST * 1.3**number))
            function = "submit" if step.status == "resubmit" else "check"
        late = {"Error": "Polling.LimitReached", "Cause": "waiting"}
        self._end(claim, process_uuid=claim.process_uuid, failure=late)

    def _end(self, claim: Claim, **message: Any) -> None:
        self.schedule(node_id=claim.node_id, **message)
        self.states.known[claim.process_uuid] = True

    def _patiently(self, act: Callable[[], Any]) -> Any:
        """Repeat what fails in passing, as Step Functions and the queues do."""
        for _ in range(_REPEATS):
            try:
                return act()
            except Killed:
                self.tap.dead = False
            except TransientError:
                pass
            CLOCK.skip(20)
        return act()

    def run(self) -> None:
        """From the wish to the outcome, with as many sweeps as it takes."""
        for _ in range(_PASSES):
            try:
                outcome = self.schedule()
            except Exception as error:  # noqa: BLE001 (an execution that dies is an event; the sweep comes all the same)
                self.alerts.append(f"scheduler: {error}")
                outcome = None
            while self.states.waiting:
                claim = self.states.waiting.pop(0)
                try:
                    self.execute(claim)
                except Exception as error:  # noqa: BLE001 (the machine failed: the execution is closed, a rule tells)
                    self.alerts.append(f"machine: {error}")
                    self.states.known[claim.process_uuid] = True
            open_takes = [
                take for take in self.all_takes() if take.state in (TakeState.SUBMITTING, TakeState.SUBMITTED)
            ]
            pipeline = self.nodes.pipeline(PIPELINE)
            if pipeline and pipeline.outcome and not open_takes and outcome:
                self.schedule(provider=self.subject.provider)  # the sweep, which looks after the job slots as well
                return
            CLOCK.skip(310)
            for take in open_takes:
                try:
                    self._patiently(lambda: self.look(take.id))  # noqa: B023 (called at once)
                except Exception as error:  # noqa: BLE001 (it goes back to the queue)
                    self.alerts.append(f"poller: {error}")

    def retry(self) -> bool:
        """A person asks once more; False where that person has to decide about money first."""
        try:
            self.asking.retry(PIPELINE, NODE)
        except (MayHaveBeenPaid, RequestError):
            return False
        return True

    # What strikes

    def strike_with(self, fault: Fault) -> Callable[[Point], None]:
        def strike(point: Point) -> None:
            if fault in ("killed", "timeout"):
                if fault == "timeout":
                    CLOCK.skip(self.life)
                self.tap.dead = True
                raise Killed
            if fault == "exception":
                raise RuntimeError("something nobody thought of")
            if fault == "answer lost":
                if point.kind == "function":
                    raise Killed
                raise lost_answer(point)
            self._meanwhile(fault)

        return strike

    def _meanwhile(self, fault: Fault) -> None:
        """What somebody else does at this very moment, whole; then the disturbed one goes on."""
        self.tap.quiet = True
        life, running = self.life, self.running
        node = self.nodes.node(PIPELINE, NODE)
        claim = Claim(PIPELINE, NODE, node.process_uuid) if node and node.process_uuid else None
        try:
            if fault == "duplicate webhook":
                for _ in range(2):
                    for take in self.all_takes():
                        self.look(take.id)
            elif fault == "duplicate start":
                if running and running[0] != "schedule":
                    self.invoke(*running)
                else:
                    self.schedule()
            elif claim and node and node.status == NodeStatus.IN_PROGRESS:
                self.states.known[claim.process_uuid] = True
                fresh = self.nodes.reclaim(claim, uuid.uuid4().hex, node.slot)
                if fresh:
                    self.states.known[fresh.process_uuid] = False
                    self.execute(fresh)
        except Exception as error:  # noqa: BLE001 (it is somebody else's trouble)
            self.alerts.append(f"meanwhile: {error}")
        finally:
            self.tap.quiet = False
            self.life, self.running = life, running


def _secrets(value: str) -> Callable[..., Any]:
    """Stands where the module would make a client of Secrets Manager."""

    class Client:
        def get_secret_value(self, **_: Any) -> dict[str, str]:
            return {"SecretString": value}

    return lambda *_: Client()
