"""What a kill of the HeyGen stand-in must not lose: videos, keys, charges, rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from stand_ins.charge_book import ChargeBook
from stand_ins.home import CHARGE_BOOK
from stand_ins.running import RunningStandIn, StandInFailed
from tests.integration.heygen.calls import body, create, finished, speech, upload, video_id


def test_a_kill_loses_neither_videos_nor_keys_nor_charges_nor_rules(tmp_path: Path) -> None:
    home = tmp_path / "heygen"
    with RunningStandIn.start(home, "--job-seconds", "0.3", provider="heygen") as first:
        sound = upload(first, speech())
        done = video_id(create(first, body(sound), "key-1"))
        finished(first, done)
        interrupted = video_id(create(first, body(sound), "key-2"))
        first.misbehave({"on": "videos.submit", "status": 503, "match": "unlucky"})
        first.kill()
    assert [row.external_id for row in ChargeBook(home / CHARGE_BOOK).rows()] == [done]
    with RunningStandIn.start(home, "--job-seconds", "0.3", provider="heygen") as second:
        assert video_id(create(second, body(sound), "key-1")) == done
        assert video_id(create(second, body(sound), "key-2")) == interrupted
        assert finished(second, interrupted)["status"] == "completed"
        assert create(second, body(sound, title="unlucky")).status_code == 503
        assert [row.external_id for row in second.charges()] == [done, interrupted]


def test_a_video_that_was_finished_but_not_billed_is_billed_at_start(tmp_path: Path) -> None:
    home = tmp_path / "heygen"
    with RunningStandIn.start(home, "--job-seconds", "0.1", provider="heygen") as first:
        finished(first, video_id(create(first, body(upload(first, speech())))))
        (charge,) = first.charges()
    (home / CHARGE_BOOK).unlink()
    with RunningStandIn.start(home, provider="heygen") as second:
        assert second.charges() == [charge]


def test_two_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        RunningStandIn.start(tmp_path, provider="heygen"),
        pytest.raises(StandInFailed, match="already runs in"),
    ):
        RunningStandIn.start(tmp_path, provider="heygen")
