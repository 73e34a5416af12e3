from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.deployed.cdk import Cdk
from local_cloud.handle import attach_or_start
from local_cloud.state import StateFolder
from tests.deployed.site import CHECKOUT, Environment, Site, copy_checkout

KEPT_FOR = 1800.0
"""Seconds after which what a run left behind may go."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the deployed app, but for what only reads moto."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "test_moto_mends" not in item.nodeid:
            item.add_marker(pytest.mark.deployed)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """An emulated AWS, bootstrapped. What it leaves behind tells why something failed."""
    folder = _folder_of_this_run()
    checkout = copy_checkout(folder / "checkout")
    print(f"\nLogs: {folder}/cdk (the CDK), {folder}/home/cloud.log (the emulated AWS)", flush=True)
    with attach_or_start(folder / "home", module="local_cloud.deployed") as cloud:
        cdk = Cdk(checkout, ("./cdk",), cloud.endpoints, folder / "cdk")
        cdk.bootstrap()
        yield Site(cloud, cdk, folder, checkout)
        _report(cdk)
    for large in ("checkout", "assemblies", "home/packages"):
        shutil.rmtree(folder / large, ignore_errors=True)


def _folder_of_this_run() -> Path:
    """`build/e2e/RUN`; what earlier runs left behind is removed, unless it may still be in use."""
    runs = CHECKOUT / "build" / "e2e"
    for former in runs.glob("*"):
        if time.time() - former.stat().st_mtime > KEPT_FOR and not StateFolder(former / "home").alive():
            shutil.rmtree(former, ignore_errors=True)
    folder = runs / f"{time.strftime('%m%d-%H%M%S')}-{os.getpid()}"
    folder.mkdir(parents=True)
    return folder


def _report(cdk: Cdk) -> None:
    for step in cdk.steps:
        print(f"cdk {step.command:<22} {step.seconds:6.1f} s", flush=True)


@pytest.fixture
def development(site: Site) -> Environment:
    """The development environment, as its settings are by themselves."""
    return site.deploy("development")
