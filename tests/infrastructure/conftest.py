"""The templates, synthesised once per test run."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.infrastructure.synthesised import VARIANTS, Template, synthesise_variant
from video_production.settings import ENVIRONMENTS


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Mapping[str, Template]:
    """Every variant's template. Whichever test process comes first synthesises them; the others wait and read."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "templates"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {variant: Template.read(_template(variant, folder / variant)) for variant in VARIANTS}


def _template(variant: str, folder: Path) -> Path:
    done = folder / "template"
    if not done.exists():
        done.write_text(str(synthesise_variant(variant, folder)))
    return Path(done.read_text())


@pytest.fixture(params=ENVIRONMENTS)
def template(request: pytest.FixtureRequest, templates: Mapping[str, Template]) -> Template:
    """One environment's template, as `cdk.json` has it."""
    return templates[request.param]


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest, templates: Mapping[str, Template]) -> Template:
    """The template of one of all variants."""
    return templates[request.param]


@pytest.fixture
def everything(templates: Mapping[str, Template]) -> Template:
    """Staging with what is off by default."""
    return templates["everything"]


@pytest.fixture
def production(templates: Mapping[str, Template]) -> Template:
    return templates["production"]
