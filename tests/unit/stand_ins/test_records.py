"""Jobs and history items on disk: where a job stands follows from its stored times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from stand_ins.elevenlabs.records import Job
from stand_ins.records import Records

JOB = Job("a", "r", "h", 100.0, 100.3, 100.8, "Hello", "v", "eleven_v3", "mp3_44100_128", settings={"stability": 0.5})


def test_a_job_is_pending_then_generating_until_it_has_ended() -> None:
    assert [JOB.status(now) for now in (100.0, 100.2, 100.3, 500.0)] == [
        "pending",
        "pending",
        "generating",
        "generating",
    ]
    assert JOB.finished(100.8).status(100.9) == "completed"
    assert JOB.failed(100.8, "timeout", "Too slow.").status(100.9) == "failed"


def test_records_are_listed_newest_first_and_survive_a_restart(tmp_path: Path) -> None:
    records = Records(tmp_path, Job)
    older, newer = replace(JOB, id="b", created_at=50.0), JOB.finished(101.0)
    for job in (JOB, older, newer):
        records.save(job)
    assert records.newest_first() == [newer, older]
    assert Records(tmp_path, Job).newest_first() == [newer, older]
    records.delete("a")
    assert Records(tmp_path, Job).get("a") is None


def test_a_half_written_record_of_a_killed_process_is_not_read(tmp_path: Path) -> None:
    Records(tmp_path, Job).save(JOB)
    (tmp_path / ".b.json.x1y2").write_text('{"id": "b", ')
    assert [job.id for job in Records(tmp_path, Job).newest_first()] == ["a"]
