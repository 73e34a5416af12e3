"""Inside a sandbox: AWS's own runtime client serves the function (Linux only; elsewhere see `plain_runtime`).

Run by path, so that nothing of the local cloud can be imported by a function because of it.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from awslambdaric import bootstrap
from awslambdaric.lambda_config import LambdaConfigProvider
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient


class RuntimeClient(LambdaRuntimeClient):  # type: ignore[misc]  # awslambdaric has no types
    """One Runtime API serves every sandbox; the path in front of it tells them apart.

    The C part of the client takes `host:port/path` as it is, the Python part (errors while importing) does not.
    """

    def __init__(self, address: str, use_thread: bool) -> None:
        host, _, path = address.partition("/")
        super().__init__(host, use_thread)
        self._path = f"/{path}" if path else ""

    def call_rapid(self, http_method: str, endpoint: str, *rest: Any, **more: Any) -> None:
        super().call_rapid(http_method, self._path + endpoint, *rest, **more)


def main() -> None:
    config = LambdaConfigProvider([sys.argv[0], os.environ["_HANDLER"]])
    bootstrap.run(config.handler, RuntimeClient(config.api_address, config.use_thread_polling))


if __name__ == "__main__":
    main()
