"""How long many pipelines take against the least that they could take: `make bench-orchestration`.

The least is max(critical path, work / capacity): no order of starting jobs can be faster than the longest chain, nor
than all jobs of a provider one after the other in as many rows as it allows. Measured twice:

- in simulated time (`orchestration_model`): the real scheduler, buyer and tables; what a call takes on AWS is assumed;
- in real time on the local cloud: its Step Functions, queues, functions in processes and DynamoDB, and the stand-in of
  ElevenLabs with jobs that last `--job-seconds`; and for one pipeline of 200 nodes a function that sleeps.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.orchestration_cloud import MODULE, NODE_SECONDS, checkout
from benchmarks.orchestration_model import Simulation, head, step
from benchmarks.orchestration_page import page_section, replaced
from local_cloud.functions import NAMES, machine_arn
from local_cloud.handle import CHECKOUT, CloudHandle, attach_or_start
from local_cloud.subscription import subscribe
from stand_ins.keys import DRAFT_KEY
from stand_ins.running import RunningStandIn
from video_production.nodes.model import Desired, Node, Pipeline
from video_production.nodes.table import NodeTable
from video_production.scheduling.asking import Asking
from video_production.scheduling.publishing import Publisher
from video_production.storage import Storage
from video_production.tables import decode
from video_production.takes.model import TakeState
from video_production.takes.reading import read_take
from video_production.takes.table import TAKE, TakeTable

LIMIT = 5
LAYERS, ROWS = 20, 10
_RESULTS = Path(__file__).parent / "results" / "orchestration.json"
_PAGE = CHECKOUT / "docs" / "benchmarks.md"
_LOOK_EVERY = 0.5
Row = dict[str, Any]


def main() -> None:
    """Measure and print; with `--write` keep the figures and the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__)
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--job-seconds", type=float, default=20.0, help="how long a job of the stand-in lasts")
    parser.add_argument("--layers", type=int, default=LAYERS, help="of the pipeline of nodes of 10 s, ten in each")
    parser.add_argument("--only", choices=("simulated", "jobs", "nodes"), help="one measurement alone")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/benchmarks.md")
    given = parser.parse_args()
    parts: dict[str, Callable[[], list[Row]]] = {
        "simulated": lambda: list(simulated(given.pipelines)),
        "jobs": lambda: [real_jobs(given.pipelines, given.job_seconds)],
        "nodes": lambda: [real_nodes(given.layers)],
    }
    results: Row = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
    for name, measure in parts.items():
        if given.only in (None, name):
            load = [round(number, 1) for number in os.getloadavg()]
            results[name] = {"rows": measure(), "load": load}
            print(page_section({name: results[name]}))
    if given.write:
        _RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        _PAGE.write_text(replaced(_PAGE.read_text(), page_section(results)))


# In simulated time


def simulated(pipelines: int) -> Iterator[Row]:
    """Many pipelines of one job, with webhooks and without; several kinds of nodes; and one wide pipeline."""
    for many, webhooks, shortest in (
        (pipelines, True, 30),
        (pipelines, False, 30),
        (pipelines, False, 60),
        (5 * pipelines // 2, False, 30),
    ):
        longest = 3 * shortest
        lasting = partial(_between, shortest, longest)
        simulation = Simulation(limit=LIMIT, job_seconds=lasting, webhooks=webhooks)
        for number in range(many):
            simulation.ask(f"p{number:03}", [head(f"p{number:03}", "head")], at=number * 0.01)
        what = f"{many} pipelines, jobs of {shortest} to {longest} s, {'reported' if webhooks else 'asked for'}"
        yield _simulated(what, simulation, many, longest)
    simulation = Simulation(limit=LIMIT, job_seconds=partial(_between, 30, 90))
    for number in range(pipelines):
        name = f"p{number:03}"
        nodes = [head(name, "one"), head(name, "two"), step(name, "mix", ["one", "two"]), head(name, "last", ["mix"])]
        simulation.ask(name, nodes, at=number * 0.01)
    yield _simulated(f"{pipelines} pipelines of three jobs and a node of 10 s", simulation, pipelines, 190)
    simulation = Simulation(limit=LIMIT, node_seconds=NODE_SECONDS)
    simulation.ask("wide", wide("wide"))
    yield _simulated(f"one pipeline of {LAYERS * ROWS} nodes of 10 s", simulation, 1, LAYERS * NODE_SECONDS)


def _between(shortest: float, longest: float, chance: random.Random) -> float:
    return chance.uniform(shortest, longest)


def _simulated(what: str, simulation: Simulation, pipelines: int, critical_path: float) -> Row:
    measured = simulation.run(pipelines, critical_path)
    _expect(measured.outcomes == {"completed": pipelines}, f"{what}: {measured.outcomes}")
    return {
        "where": "simulated",
        "what": what,
        "makespan": round(measured.makespan, 1),
        "bound": round(measured.bound, 1),
        "most": measured.most_under_way,
        "refused": measured.refused,
        "overtaken": measured.in_turn,
        "calls": dict(sorted(measured.calls.items())),
    }


def wide(name: str, layers: int = LAYERS, rows: int = ROWS) -> list[Node]:
    """Layers of nodes, each of which needs two of the layer before."""
    return [
        step(
            name,
            f"n{layer:02}-{row}",
            [f"n{layer - 1:02}-{row}", f"n{layer - 1:02}-{(row + 1) % rows}"] if layer else [],
        )
        for layer in range(layers)
        for row in range(rows)
    ]


# In real time


def real_jobs(pipelines: int, job_seconds: float) -> Row:
    """Pipelines of one voiceover each, all asked for at once, on the local cloud."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with RunningStandIn.start(home / "provider", "--job-seconds", str(job_seconds)) as provider:
            variables = {
                "ELEVENLABS_BASE_URL": provider.url,
                "ELEVENLABS_MAX_JOBS": str(LIMIT),
                "ELEVENLABS_WEBHOOKS": "on",
                "ELEVENLABS_DEADLINE_SECONDS": "3600",
                "ELEVENLABS_POLL_INTERVAL_SECONDS": "10",
                "STALE_AFTER_SECONDS": "120",
            }
            prewarm = ("scheduler", "elevenlabs_submitter", "elevenlabs_poller", "webhook_receiver")
            with _cloud(home / "cloud", variables, prewarm=prewarm) as cloud:
                signed_with = subscribe("elevenlabs", provider.url, DRAFT_KEY, cloud.endpoints.api)
                secret = NAMES.webhook_secret("elevenlabs")
                cloud.client("secretsmanager").put_secret_value(SecretId=secret, SecretString=signed_with)
                names = [f"p{number:03}" for number in range(pipelines)]
                makespan, outcomes = _run(cloud, {name: _voiceover(name) for name in names})
                refused = _refused(cloud)
            sent = sorted(row["at"] for row in provider.requests() if row["method"] == "POST" and "text" in row["body"])
    _expect(outcomes == {"completed": pipelines}, f"ended: {outcomes}")
    _expect(len(sent) == pipelines, f"{len(sent)} requests were sent for {pipelines} pipelines")
    most = max(sum(begin <= at < begin + job_seconds for begin in sent) for at in sent)
    bound = max(job_seconds, pipelines * job_seconds / LIMIT)
    what = f"{pipelines} pipelines, jobs of {job_seconds:g} s, reported"
    return _real(what, makespan, bound, most, refused)


def real_nodes(layers: int) -> Row:
    """One pipeline of layers of ten nodes, on the local cloud."""
    with tempfile.TemporaryDirectory() as folder:
        ours = checkout(Path(folder) / "checkout", NODE_SECONDS)
        variables = {"STALE_AFTER_SECONDS": "120"}
        prewarm = ("scheduler", "audio_mixer")
        with _cloud(Path(folder) / "cloud", variables, prewarm=prewarm, ours=ours) as cloud:
            _run(cloud, {"warm": wide("warm", 1, ROWS)})
            makespan, outcomes = _run(cloud, {"wide": wide("wide", layers)})
    _expect(outcomes == {"completed": 1}, f"ended: {outcomes}")
    return _real(f"one pipeline of {layers * ROWS} nodes of 10 s", makespan, layers * NODE_SECONDS, 0, 0)


def _real(what: str, makespan: float, bound: float, most: int, refused: int) -> Row:
    figures = {"makespan": round(makespan, 1), "bound": round(bound, 1), "most": most, "refused": refused}
    return {"where": "local cloud", "what": what, **figures}


@contextmanager
def _cloud(
    home: Path, variables: Mapping[str, str], *, prewarm: tuple[str, ...], ours: Path = CHECKOUT
) -> Iterator[CloudHandle]:
    options: Row = {"prewarm": prewarm, "variables": variables, "checkout": ours, "module": MODULE}
    with attach_or_start(home, live={}, **options) as cloud:
        time.sleep(5)  # until the sandboxes are warm
        yield cloud


def _run(cloud: CloudHandle, graphs: Mapping[str, Sequence[Node]]) -> tuple[float, Mapping[str, int]]:
    """Publish and run everything, wait for all outcomes: seconds from the first wish to the last outcome."""
    dynamodb = cloud.client("dynamodb")
    nodes = NodeTable(dynamodb, NAMES.nodes_table)
    takes = TakeTable(dynamodb, NAMES.takes_table, NAMES.nodes_table)
    publisher = Publisher(nodes, Storage(cloud.client("s3")))
    asking = Asking(nodes, takes, cloud.client("stepfunctions"), machine_arn(NAMES.pipeline_machine))
    for name, graph in graphs.items():
        publisher.publish(graph, Pipeline(name, name, 0, Desired.RUN, (), graph[-1].id, _bucket(cloud), ""))
    began = time.time()
    for name in graphs:
        asking.run(name)
    keys = [{"pipeline_id": name, "id": "#pipeline"} for name in graphs]
    while True:
        found = nodes.table.get_many(keys)
        if all("outcome" in item for item in found):
            _tell_failures(nodes, [item for item in found if item["outcome"]["status"] != "completed"])
            return max(item["outcome"]["at"] for item in found) - began, Counter(
                item["outcome"]["status"] for item in found
            )
        time.sleep(_LOOK_EVERY)


def _tell_failures(nodes: NodeTable, failed: Sequence[Mapping[str, Any]]) -> None:
    for item in failed:
        for node in nodes.load(item["pipeline_id"])[1].values():
            if "error" in node.metadata:
                print(f"{node.pipeline_id}/{node.id}: {node.metadata['error']}", file=sys.stderr)


def _voiceover(name: str) -> list[Node]:
    words = f"This is the lesson {name}."
    script = Node(name, "script", "Script", "asset", asset={"type": "text", "content": words})
    config = {"provider": "elevenlabs", "voiceId": "21m00Tcm4TlvDq8ikWAM", "modelId": "eleven_multilingual_v2"}
    return [script, Node(name, "voice", "Voice", "generate-voiceover", {"script": ("script",)}, config)]


def _refused(cloud: CloudHandle) -> int:
    """How many requests the provider refused, by what was written down of every attempt."""
    pages = cloud.client("dynamodb").get_paginator("scan").paginate(TableName=NAMES.takes_table)
    items = [decode(item) for page in pages for item in page["Items"]]
    found = [read_take(item) for item in items if item["record"] == TAKE]
    attempts = [attempt for take in found for attempt in take.attempts.values()]
    return sum(attempt.state == TakeState.REFUSED and attempt.code != "not_sent" for attempt in attempts)


def _bucket(cloud: CloudHandle) -> str:
    cloud.client("s3").create_bucket(Bucket="videos")
    return "videos"


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise SystemExit(f"This is no measurement: {otherwise}.")


if __name__ == "__main__":
    main()
