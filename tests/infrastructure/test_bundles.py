"""The functions' packages: complete, minimal, the same everywhere, small enough, and made for Lambda's machines."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from botocore.loaders import Loader
from botocore.regions import EndpointResolver
from packaging.utils import parse_wheel_filename

from tools.bundles import Target, bundle, ffmpeg_layer, size_of, tree_hash, zipped
from tools.bundles.__main__ import LIMIT
from tools.bundles.bundler import ROOT, Bundler
from tools.bundles.tree import files_of
from tools.set_up import WHEELS
from video_production.settings import ROLES

IMPORTING = Path(__file__).with_name("importing.py")
TARGETS: tuple[Target, ...] = get_args(Target)
LAMBDA: tuple[Target, ...] = ("x86_64", "arm64")
NOT_FOR_LAMBDA = {"moto", "click", "rich", "pydantic", "yaml", "PIL", "pytest", "flask", "aws_cdk", "awscli", "pip"}
NOT_FOR_LAMBDA |= {
    "local_cloud",
    "stand_ins",
    "stacks",
    "tools",
    "tests",
    "benchmarks",
    "imageio_ffmpeg",
    "awslambdaric",
}
E_MACHINE = {"x86_64": 62, "arm64": 183}
"""ELF's numbers of the machine types."""
LAMBDA_LIKE = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "JIKI_ENVIRONMENT": "development",
    "POWERTOOLS_METRICS_NAMESPACE": "JikiVideo",
    "POWERTOOLS_SERVICE_NAME": "test",
}


def services_in(folder: Path) -> set[str]:
    """The AWS services whose models lie in a bundle."""
    return {path.name for path in (folder / "botocore" / "data").iterdir() if path.is_dir()}


NOT_AT_THE_START = {
    "requests",
    "charset_normalizer",
    "fractions",
    "video_production.media.mp3",
    "video_production.providers.elevenlabs.script",
    "video_production.takes.entries",
}
"""What a function that only looks something up shall not load when it starts."""


LEDGERS = {"video_production.providers", "video_production.providers.made"}
"""All that a function which talks to no provider needs to know of them."""


@pytest.mark.parametrize("role", ROLES)
def test_every_import_of_a_function_resolves_inside_its_bundle_and_the_bundle_holds_no_other_module(role: str) -> None:
    folder = bundle(role, architecture="local")
    command = [sys.executable, "-I", "-S", str(IMPORTING), str(folder), ROLES[role].handler.rpartition(".")[0]]
    done = subprocess.run(
        [*command, *sorted(services_in(folder))], env=LAMBDA_LIKE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen["outside"] == []
    own = {str(path.relative_to(folder)) for path in files_of(folder) if path.suffix == ".py"}
    assert {path for path in own if path.startswith(("functions/", "video_production/"))} == set(seen["own"])
    assert "pysubs2" not in seen["started"]
    if role in ("scheduler", "sweeper", "pipeline_starter"):
        assert not {name for name in seen["started"] if name.startswith("video_production.providers")} - LEDGERS
    if not ROLES[role].ffmpeg and role != "error_callback":
        assert not NOT_AT_THE_START & set(seen["started"])


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("role", ROLES)
def test_a_bundle_holds_nothing_that_its_function_can_not_use(role: str, target: Target) -> None:
    bundler = Bundler(ROOT)
    closure = bundler.closure(role)
    folder = bundle(role, architecture=target)
    files = [path.relative_to(folder) for path in files_of(folder)]
    tops = {path.parts[0].removesuffix(".py") for path in files}
    assert not tops & NOT_FOR_LAMBDA
    assert not [path for path in files if {"tests", "test", "__pycache__"} & set(path.parts) or path.suffix == ".pyc"]
    own = {path for path in files if path.parts[0] in ("functions", "video_production")}
    assert own == closure.files
    wheels = bundler.reached(closure, target)
    assert set(files) - own <= {Path(member) for wheel in wheels for member in wheel.members}


@pytest.mark.parametrize("role", ROLES)
def test_a_bundle_holds_the_models_of_exactly_the_aws_services_that_its_function_calls(role: str) -> None:
    folder = bundle(role, architecture="local")
    own = [path for name in ("functions", "video_production") for path in (folder / name).rglob("*.py")]
    called = {name for path in own for name in re.findall(r'LazyClient\(\s*"([a-z0-9-]+)"', path.read_text())}
    assert called == services_in(folder)
    makers = {path.name for path in own if re.search(r"create_client\(|(import|from) boto3", path.read_text())}
    assert makers <= {"clients.py"}
    assert called <= {"dynamodb", "s3", "stepfunctions", "secretsmanager", "sqs", "events", "lambda"}


@pytest.mark.parametrize("target", LAMBDA)
@pytest.mark.parametrize("role", ROLES)
def test_compiled_modules_are_for_lambda_s_python_and_machine(role: str, target: Target) -> None:
    for path in files_of(bundle(role, architecture=target)):
        header = path.read_bytes()[:20]
        if header.startswith(b"\x7fELF"):
            assert int.from_bytes(header[18:20], "little") == E_MACHINE[target], path
            own_library = path.parent.name.endswith(".libs")
            assert own_library or re.search(r"\.(cpython-313-|abi3\.)", path.name), path


@pytest.mark.parametrize("target", LAMBDA)
def test_every_wheel_for_lambda_fits_its_python(target: Target) -> None:
    wheels = sorted((ROOT / WHEELS / target).glob("*.whl"))
    assert wheels
    for path in wheels:
        _, _, _, tags = parse_wheel_filename(path.name)
        assert {(tag.interpreter, tag.abi) for tag in tags} & {("cp313", "cp313"), ("py3", "none")} or any(
            tag.abi == "abi3" for tag in tags
        ), path.name


LARGEST = {"merger": 65_000_000, "veo3_submitter": 35_000_000, "veo3_poller": 35_000_000}
"""Bytes: with NumPy, which merges the tables of long videos; with what signs for Google's tokens."""


@pytest.mark.parametrize("target", LAMBDA)
def test_every_function_and_its_layer_stay_below_lambda_s_limit(target: Target) -> None:
    layer = size_of(ffmpeg_layer(target))
    for role in ROLES.values():
        size = size_of(bundle(role.name, architecture=target))
        print(
            f"{role.name} ({target}): {size / 1e6:.1f} MB" + (f" + {layer / 1e6:.1f} MB layer" if role.ffmpeg else "")
        )
        assert size + (layer if role.ffmpeg else 0) < LIMIT
        limit = LARGEST.get(role.name, 15_000_000)
        assert size < limit, "a bundle grew by half; look at what it holds before moving this limit"


def test_the_shortened_list_of_endpoints_says_of_these_services_what_botocore_s_own_says() -> None:
    loader = Loader()
    folder = bundle("elevenlabs_poller", architecture="local")
    full, short = (
        EndpointResolver(json.loads((data / "endpoints.json").read_text()))
        for data in (Path(loader.BUILTIN_DATA_PATH), folder / "botocore" / "data")
    )
    prefixes = {
        loader.load_service_model(name, "service-2")["metadata"]["endpointPrefix"] for name in services_in(folder)
    }
    regions = [
        region
        for partition in full.get_available_partitions()
        for region in full.get_available_endpoints("dynamodb", partition)
    ]
    assert len(regions) > 30
    for prefix in prefixes:
        for region in regions:
            assert short.construct_endpoint(prefix, region) == full.construct_endpoint(prefix, region)


def test_every_package_in_a_bundle_comes_with_its_licence() -> None:
    folder = bundle("merger")
    described = sorted(folder.glob("*.dist-info"))
    assert len(described) >= 10
    for info in described:
        names = {path.name.upper() for path in files_of(info)}
        assert "METADATA" in names
        assert any(name.startswith(("LICENSE", "LICENCE", "COPYING")) for name in names), info.name


def test_the_same_checkout_gives_the_same_bytes_in_another_folder_at_another_time_and_umask(tmp_path: Path) -> None:
    hashes, zips, names = set(), set(), set()
    for number, umask in enumerate((0o022, 0o077)):
        checkout = tmp_path / f"checkout-{number}"
        before = os.umask(umask)
        try:
            for name in ("functions", "video_production", "requirements"):
                shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
            for path in checkout.rglob("*.py"):
                os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
            folder = Bundler(checkout, wheels=ROOT / WHEELS).bundle("elevenlabs_poller", "arm64")
        finally:
            os.umask(before)
        hashes.add(tree_hash(folder))
        zips.add(zipped(folder))
        names.add(folder.name)
    assert (len(hashes), len(zips), len(names)) == (1, 1, 1)
    assert tree_hash(bundle("elevenlabs_poller", architecture="arm64")) in hashes


def test_a_changed_source_changes_the_bundles_that_hold_it_and_no_other(tmp_path: Path) -> None:
    for name in ("functions", "video_production", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    bundler = Bundler(tmp_path, wheels=ROOT / WHEELS)
    poller, scheduler = (bundler.bundle(role, "x86_64") for role in ("elevenlabs_poller", "scheduler"))
    changed = tmp_path / "video_production" / "providers" / "http.py"
    changed.write_text(changed.read_text() + "\n# changed\n")
    assert bundler.bundle("elevenlabs_poller", "x86_64").name != poller.name
    assert bundler.bundle("scheduler", "x86_64") == scheduler
