from __future__ import annotations

from collections.abc import Iterator

import pytest

from local_cloud.handle import CloudHandle, attach_or_start


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudHandle]:
    """The local cloud with the real functions."""
    with attach_or_start(tmp_path_factory.mktemp("home")) as handle:
        handle.ensure_bucket("videos")
        yield handle
