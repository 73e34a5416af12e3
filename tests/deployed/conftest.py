from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.deployed.cdk import Cdk
from local_cloud.handle import attach_or_start
from local_cloud.state import StateFolder
from tests.deployed.site import CHECKOUT, Environment, Site, copy_checkout


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the deployed app, but for what only reads moto."""
    for item in items:
        if Path(__file__).parent in item.path.parents and "test_moto_mends" not in item.nodeid:
            item.add_marker(pytest.mark.deployed)


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """An emulated AWS, bootstrapped. What it leaves behind tells why something failed."""
    folder = CHECKOUT / "build" / "e2e"
    if StateFolder(folder / "home").alive():
        pytest.exit(f"These tests are running already, in {folder}.", returncode=1)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checkout = copy_checkout(folder / "checkout")
    print(f"\nLogs: {folder}/cdk (the CDK), {folder}/home/cloud.log (the emulated AWS)", flush=True)
    with attach_or_start(folder / "home", module="local_cloud.deployed") as cloud:
        cdk = Cdk(checkout, ("./cdk",), cloud.endpoints, folder / "cdk")
        cdk.bootstrap()
        yield Site(cloud, cdk, folder, checkout)
        _report(cdk)


def _report(cdk: Cdk) -> None:
    for step in cdk.steps:
        print(f"cdk {step.command:<22} {step.seconds:6.1f} s", flush=True)


@pytest.fixture
def development(site: Site) -> Environment:
    """The development environment, as its settings are by themselves."""
    return site.deploy("development")
