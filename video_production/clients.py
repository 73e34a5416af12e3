"""AWS clients of the functions. Each is made when it is first used: most invocations need few of those they may need.

They are botocore's own. boto3 would add its resources and its file transfers, which no function uses, and with them a
fifth of the time that a function takes to start.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

import botocore.session
from botocore.config import Config

__all__ = ["LazyClient"]

_making = threading.Lock()
"""A session, which makes the clients, is not for several threads at once; the clients are."""


class LazyClient:
    """Stands for the client of the AWS service of that name. Write the name out: bundles hold the services named."""

    def __init__(self, service: str, config: Config | None = None) -> None:
        self._service = service
        self._config = config
        self._client: Any = None

    def __getattr__(self, name: str) -> Any:
        if self._client is None:
            with _making:
                if self._client is None:
                    self._client = _session().create_client(self._service, config=self._config)
        return getattr(self._client, name)


@functools.cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()
