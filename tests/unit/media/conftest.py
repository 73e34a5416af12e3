from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.media.clips import FFMPEG
from video_production.media.merge_result import MergeResult
from video_production.media.reencode import LocalClip, reencode


@pytest.fixture
def join(tmp_path: Path) -> Callable[..., MergeResult]:
    """Merge clips into `out.mp4`; nothing but inputs and output may be left behind."""
    work = tmp_path / "work"
    work.mkdir()

    def run(*clips: Path, **options: object) -> MergeResult:
        inputs = [LocalClip(clip.name, clip) for clip in clips]
        try:
            return reencode(inputs, tmp_path / "out.mp4", work, ffmpeg=FFMPEG, **options)  # type: ignore[arg-type]
        finally:
            assert list(work.iterdir()) == []

    return run


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Where `join` puts its result."""
    return tmp_path / "out.mp4"
