"""What the functions that pay refuse to start with."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("role", ["runway_submitter", "runway_poller"])
def test_a_draft_without_a_stand_in_never_becomes_a_request_to_the_real_provider(role: str) -> None:
    variables = {"JIKI_ENVIRONMENT": "staging", "RUNWAY_MODE": "draft", "AWS_DEFAULT_REGION": "us-east-1"}
    started = subprocess.run(
        [sys.executable, "-c", f"import functions.{role}.handler"],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert started.returncode
    assert "RUNWAY_BASE_URL" in started.stderr
