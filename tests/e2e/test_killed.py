"""SIGKILL of everything at every stage, for both ElevenLabs ways: the next run finishes, nothing is paid twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.lab import Lab
from tests.e2e.money import check_money

Moment = Callable[[Lab], bool]


def _claimed(lab: Lab) -> bool:
    return lab.node("voice").get("status") == "in_progress"


def _submitting(lab: Lab) -> bool:
    return "submitting" in lab.take_states()


def _accepted(lab: Lab) -> bool:
    """The provider took the request: the job's id is known, or (synchronously) the charge is in the provider's book."""
    return "submitted" in lab.take_states() or bool(lab.charges())


def _collecting(lab: Lab) -> bool:
    files = (path for path in (lab.home / "s3" / "jiki-videos-local" / "takes").rglob("*") if path.is_file())
    return any(path.name != "request.json" for path in files)  # what was asked for is stored before anything is sent


def _merging(lab: Lab) -> bool:
    return lab.node("film").get("metadata", {}).get("stage") in ("reading", "encoding", "checking")


def _joining(lab: Lab) -> bool:
    """The result is on its way to S3; where that short moment was missed, the node is done, which ends the wait."""
    film = lab.node("film")
    return film.get("metadata", {}).get("stage") == "joining" or film.get("status") == "completed"


MOMENTS: dict[str, Moment] = {
    "claimed": _claimed,
    "submitting": _submitting,
    "submitted": _accepted,
    "collecting": _collecting,
    "mid-merge": _merging,
    "mid-upload": _joining,
}


@pytest.mark.slow
@pytest.mark.parametrize("way", ["job", "timed"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_is_finished_by_the_next_one(
    lab: Lab, moment: str, way: str, record_property: Callable[[str, object], None]
) -> None:
    record_property("told", f"{way:<6} {moment:<11} {_kill_and_finish(lab, moment, way)}")


def _kill_and_finish(lab: Lab, moment: str, way: str) -> str:
    lab.write_lesson(captions=way == "timed")
    if moment == "submitted" and way == "timed":
        lab.faults({"on": "timed", "do": "delay", "delay": 5})  # billed, and the answer still on its way
    process = lab.start("produce", str(lab.document), "--json")
    lab.wait_for(lambda: MOMENTS[moment](lab))
    lab.kill_everything(process)
    process.communicate()
    charged_before = len(lab.charges())

    code, event = lab.produce()
    decided = ""
    if code == 2:  # "may have been paid": a person looks it up at the provider and decides
        assert event["failed"].keys() == {"voice"}
        assert "may have been paid" in event["failed"]["voice"]
        assert not lab.charges(), "a charge that the provider lists must be found, not asked about"
        lab.run("resolve", str(lab.document), "voice", "--pay-again", "--why", "not in the provider's list")
        code, event = lab.produce()
        decided = ", after a person had looked it up"
    assert code == 0, event
    assert event["status"] == "completed"
    assert Path(event["output"]["path"]).stat().st_size > 1000
    known, book, unknown = check_money(lab)
    assert not any(item.get("status") == "in_progress" for item in lab.snapshot().tables["jiki-video-nodes-local"])
    with lab.cloud() as cloud:
        assert "Uploads" not in cloud.client("s3").list_multipart_uploads(Bucket="jiki-videos-local")
    return f"finished; charges before {charged_before}, after {book}; ledger known {known}, unknown {unknown}{decided}"
