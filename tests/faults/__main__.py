"""The fault campaign: every way to be disturbed, at every moment between two side effects, for every provider.

An undisturbed run tells the moments: before and after each write to the tables, request to the provider, write to S3,
start of an execution and answer of a function. Then there is one case for each moment and each fault:

    killed              the process is gone; Step Functions starts the function again
    exception           something that nobody thought of; the node fails, and a person asks again
    timeout             the process is gone after all the time it had
    answer lost         the call was carried out (or, before it, never arrived), its answer did not come
    duplicate start     another invocation does all of the same at this very moment
    duplicate webhook   two webhooks about the job are dealt with at this very moment
    takeover            a new execution takes the node over and finishes it, then the old one goes on

Every case runs to its end, is sweeped, and is asked for again where it failed. Then, from the stand-in's charge book,
the tables and the storage: one charge at most for each take, nothing in progress, no job slot held, no upload left
open, the ledger fits the bill, and the file is that of the undisturbed run, byte by byte. A node may end as "may have
been paid" instead, where nobody could know better.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.faults.subjects import SUBJECTS, Subject, cut_early, film_once
from tests.faults.taps import FAULTS, Fault, Point
from tests.faults.world import PIPELINE, World
from video_production.nodes.model import NodeStatus
from video_production.takes.entries import balance
from video_production.takes.model import TakeState

ROOT = Path(__file__).resolve().parents[2]
_KEY, _SECRET = "campaign", "not-a-secret"
_ALWAYS_KNOWN = ("heygen",)
"""Providers that tell, asked again with the same key, what became of a request: nothing may stay undecided there."""
_MONEY_MOVES = ("provider submit",)


@dataclass(frozen=True, slots=True)
class Result:
    """How a case ended: `outcome` in a word, `broken` what must not be."""

    subject: str
    fault: str
    point: str
    outcome: str
    charges: int
    broken: tuple[str, ...]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--verbose", action="store_true", help="print every case")
    known = sorted({name for subject in SUBJECTS for name in (subject.name, subject.provider)})
    parser.add_argument("subject", nargs="*", help=f"{', '.join(known)}; all when left out")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.subject if name not in known]:
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(known)}")
    verbose = given.verbose
    chosen = [each for each in SUBJECTS if not given.subject or {each.name, each.provider} & set(given.subject)]
    began = time.monotonic()
    results: list[Result] = []
    with _server() as url, ProcessPoolExecutor(len(chosen)) as pool:
        for future in as_completed([pool.submit(campaign, subject.name, url, verbose) for subject in chosen]):
            results += future.result()
    print(_summary(results, time.monotonic() - began))
    return 1 if any(result.broken for result in results) else 0


def campaign(name: str, url: str, verbose: bool = False) -> list[Result]:
    """All cases of one subject. Prints those in which something is broken, or each."""
    [subject] = [each for each in SUBJECTS if each.name == name]
    logging.disable(logging.CRITICAL)
    client = boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=_KEY,
        aws_secret_access_key=_SECRET,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        folder = Path(place)
        (folder / "films").mkdir()
        film_once(folder / "films")
        if subject.takes > 1:
            cut_early()
        with World(subject, folder / "first", client) as world:
            world.run()  # speaks and draws what every case then gets
        points, content = _undisturbed(subject, folder / "model", client)
        results = []
        for index in range(len(points)):
            for fault in FAULTS:
                result = _case(subject, folder / f"{index}-{fault}", client, index, fault, points, content)
                results.append(result)
                if verbose or result.broken:
                    print(_line(result), flush=True)
        return results


def _undisturbed(subject: Subject, folder: Path, client: Any) -> tuple[list[Point], bytes]:
    with World(subject, folder, client) as world:
        world.run()
        node = world.node()
        charges = len(world.workspace.book.rows())
        if node.status != NodeStatus.COMPLETED or charges != subject.takes:
            raise RuntimeError(f"{subject.name}, undisturbed: {node.status}, {charges} charges, {node.metadata}")
        return world.tap.points, world.content()


def _case(
    subject: Subject, folder: Path, client: Any, index: int, fault: Fault, points: Sequence[Point], content: bytes
) -> Result:
    with World(subject, folder, client) as world:
        world.tap.chosen = index
        world.tap.strike = world.strike_with(fault)
        world.run()
        asked = 0
        while world.node().status == NodeStatus.FAILED and asked < 2 and world.retry():
            asked += 1
            world.run()
        # How often a job is looked at depends on the machine: a moment of a third look may not come.
        where = f"{index:3} {world.tap.struck or 'never came: ' + str(points[index])}"
        charges = len(world.workspace.book.rows())
        outcome = _outcome(world, asked)
        return Result(subject.name, fault, where, outcome, charges, tuple(_broken(world, outcome, charges, content)))


def _outcome(world: World, asked: int) -> str:
    node = world.node()
    if node.status == NodeStatus.COMPLETED:
        return "completed" if not asked else "completed when asked again"
    if node.status == NodeStatus.FAILED:
        undecided = any(take.state == TakeState.UNKNOWN for take in world.all_takes())
        return "may have been paid" if undecided else f"failed: {node.metadata.get('error')}"
    return str(node.status)


def _broken(world: World, outcome: str, charges: int, content: bytes) -> Iterator[str]:
    subject = world.subject
    if charges > subject.takes:
        yield f"{charges} charges for {subject.takes}"
    pipeline = world.nodes.pipeline(PIPELINE)
    if pipeline is None or pipeline.outcome is None:
        yield "the pipeline has no outcome"
    if outcome.startswith("completed"):
        if world.content() != content:
            yield "the file differs from the undisturbed run's"
    elif outcome != "may have been paid":
        yield f"it ended as {outcome}"
    elif subject.provider in _ALWAYS_KNOWN:
        yield "undecided, although the provider can be asked"
    if world.open_takes():
        yield "a paid job is forgotten"
    bill = sum(charge.usd for charge in world.workspace.book.rows())
    told = balance(world.takes.entries(PIPELINE))
    if not told.admits(bill):
        yield f"the bill is {bill}, the ledger says {told}"
    if outcome.startswith("completed") and told.unknown and charges == subject.takes and _all_known(world):
        yield f"the ledger still doubts {told.unknown}"
    slots = [key for key in world.memory.tables.get("nodes", {}) if key[0].startswith("#slots#")]
    if slots and outcome.startswith("completed"):
        yield "a job slot is still held"
    uploads = world.s3.list_multipart_uploads(Bucket=world.bucket).get("Uploads", [])
    if uploads:
        yield f"{len(uploads)} uploads are left open"


def _all_known(world: World) -> bool:
    return all(
        attempt.state in (TakeState.MADE, TakeState.REFUSED)
        for take in world.all_takes()
        for attempt in take.attempts.values()
    )


def _line(result: Result) -> str:
    marks = f"  BROKEN: {'; '.join(result.broken)}" if result.broken else ""
    return f"{result.subject:17} {result.fault:18} {result.point:50} {result.charges} paid  {result.outcome}{marks}"


def _summary(results: Sequence[Result], seconds: float) -> str:
    lines = []
    for subject in dict.fromkeys(result.subject for result in results):
        own = [result for result in results if result.subject == subject]
        outcomes = Counter(result.outcome for result in own)
        told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
        lines.append(f"{subject:17} {len(own):4} cases: {told}")
    broken = sum(bool(result.broken) for result in results)
    return "\n".join([*lines, f"{len(results)} cases in {seconds:.0f} s, {broken} violations"])


@contextmanager
def _server() -> Iterator[str]:
    """The project's S3 in a process of its own, where the clock does not jump."""
    with tempfile.TemporaryDirectory(prefix="faults-s3-") as folder:
        command = [sys.executable, "-m", "benchmarks.merge_server", folder, f"{folder}/access.jsonl", _KEY, _SECRET]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                yield process.stdout.readline().strip()
            finally:
                process.stdin.close()
                process.wait(30)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
