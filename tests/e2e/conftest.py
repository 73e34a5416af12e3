from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.lab import Lab


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the campaigns tell of each case; the reports bring it here from every worker."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, ())]
    told = sorted(str(value) for report in reports for name, value in report.user_properties if name == "told")
    for line in told:
        terminalreporter.write_line(f"  {line}")
