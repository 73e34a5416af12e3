"""The state folder: what lies where, and who may use it.

    cloud.json     endpoints and ids of the running cloud; written when it is ready, removed when it ends
    cloud.lock     held by the cloud while its process lives, so a left-over cloud.json is recognised for sure
    users.lock     held (shared) by everybody who uses the cloud; when the last lets go, the cloud ends by itself
    cloud.log      what the cloud's process prints
    journal.jsonl  the tables
    s3/            buckets and objects, as plain files
    stand-ins/     one folder per stand-in: jobs and charge book
    sandboxes/     temporary files of running functions
    layer/bin/     the FFmpeg layer

The locks are kernel locks on open files: they go when their process goes, however it goes.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local_cloud.functions import Endpoints

__all__ = ["CloudInfo", "FileLock", "StateFolder"]


@dataclass(frozen=True, slots=True)
class CloudInfo:
    """What a running cloud tells about itself. `live` names the providers that are the real ones."""

    pid: int
    endpoints: Endpoints
    live: tuple[str, ...]

    def to_json(self) -> str:
        return json.dumps({"pid": self.pid, "endpoints": asdict(self.endpoints), "live": self.live}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> CloudInfo:
        data: dict[str, Any] = json.loads(text)
        return cls(data["pid"], Endpoints(**data["endpoints"]), tuple(data["live"]))


@dataclass(frozen=True, slots=True)
class StateFolder:
    root: Path

    @property
    def cloud_json(self) -> Path:
        return self.root / "cloud.json"

    @property
    def cloud_lock(self) -> Path:
        return self.root / "cloud.lock"

    @property
    def users_lock(self) -> Path:
        return self.root / "users.lock"

    @property
    def log(self) -> Path:
        return self.root / "cloud.log"

    @property
    def journal(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def s3(self) -> Path:
        return self.root / "s3"

    @property
    def sandboxes(self) -> Path:
        return self.root / "sandboxes"

    @property
    def layer_bin(self) -> Path:
        return self.root / "layer" / "bin"

    def stand_in(self, provider: str) -> Path:
        return self.root / "stand-ins" / provider

    def running(self) -> CloudInfo | None:
        """The cloud that is ready here, or None. A cloud.json counts only while the process that wrote it lives.

        Two looks are needed: after a kill, the next cloud may hold the lock a moment before it removes the old file.
        """
        if not self.alive():
            return None
        try:
            info = CloudInfo.from_json(self.cloud_json.read_text())
            os.kill(info.pid, 0)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        return info

    def alive(self) -> bool:
        """Whether a cloud's process lives here, ready or not."""
        if not self.cloud_lock.exists():
            return False
        lock = FileLock(self.cloud_lock)
        try:
            return not lock.share(wait=0)
        finally:
            lock.close()

    def announce(self, info: CloudInfo) -> None:
        """Write cloud.json in one step."""
        draft = self.cloud_json.with_suffix(".writing")
        draft.write_text(info.to_json() + "\n")
        draft.replace(self.cloud_json)


class FileLock:
    """A lock on a file, shared or exclusive, that the kernel releases when the process ends."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)

    def share(self, wait: float) -> bool:
        """Hold it together with others; False when somebody holds it exclusively for `wait` seconds."""
        return self._take(fcntl.LOCK_SH, wait)

    def own(self, wait: float) -> bool:
        """Hold it alone; False when somebody else holds it for `wait` seconds. A share of our own is given up first."""
        return self._take(fcntl.LOCK_EX, wait)

    def wait_to_own(self) -> None:
        """Hold it alone, however long that takes."""
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def close(self) -> None:
        os.close(self._file)

    def _take(self, kind: int, wait: float) -> bool:
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(self._file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.02)
            else:
                return True
