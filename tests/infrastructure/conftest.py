"""The templates, synthesised once per test run."""

from __future__ import annotations

import fcntl
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.infrastructure.synthesised import VARIANTS, Template, synthesise_variant
from video_production.settings import ENVIRONMENTS


class Templates(dict[str, Template]):
    """Every variant's template, synthesised when it is first asked for; the test processes share them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def __missing__(self, variant: str) -> Template:
        done = self.folder / f"{variant}.done"
        with (self.folder / f"{variant}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                done.write_text(str(synthesise_variant(variant, self.folder / variant)))
        self[variant] = Template.read(Path(done.read_text()))
        return self[variant]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Templates:
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "templates"
    folder.mkdir(exist_ok=True)
    return Templates(folder)


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
