"""200 pipelines at once on the local cloud, with a stand-in in the place of a provider that allows five jobs."""

from __future__ import annotations

import pytest

from benchmarks.orchestration import LIMIT, real_jobs


@pytest.mark.slow
def test_two_hundred_pipelines_share_five_jobs() -> None:
    measured = real_jobs(200, 10.0)
    assert measured["most"] == LIMIT
    assert measured["refused"] == 0
