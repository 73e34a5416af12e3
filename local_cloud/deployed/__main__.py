"""The emulator's own process: `python -m local_cloud.deployed --home DIR`; it lives as the local cloud's does."""

from __future__ import annotations

from local_cloud.__main__ import serve
from local_cloud.deployed.emulator import Emulator

if __name__ == "__main__":
    serve("local_cloud.deployed", lambda home, _options: Emulator.start(home))
