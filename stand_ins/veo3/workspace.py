"""Everything that the stand-in keeps, and the making of films: what remains after a kill is what counts."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from stand_ins.charge_book import Charge
from stand_ins.home import Home
from stand_ins.records import Records
from stand_ins.title_card import title_card
from stand_ins.veo3.account import Account
from stand_ins.veo3.catalog import MODELS, SIZES
from stand_ins.veo3.records import Operation, StoredFilm
from stand_ins.veo3.tokens import Tokens

__all__ = ["OPERATIONS", "Settings", "Workspace"]

OPERATIONS = ("token", "submit", "check", "bucket", "list", "object", "download")
"""What rules of misbehaviour can be set on: "object" is an object's description, "download" its content."""

_FAILED = "The video generation failed with an internal error. Please try again."
_NOT_WRITABLE = "The service agent does not have permission to write to the output bucket."


@dataclass(frozen=True, slots=True)
class Settings:
    """`job_seconds` is how long an operation takes, the drawing included if that is quicker; `token_seconds` how long a
    token works."""

    home: Path
    job_seconds: float = 0.8
    token_seconds: float = 3600.0


class Workspace(Home):
    """The state of one stand-in, in `settings.home`; one process at a time may hold it."""

    def __init__(self, settings: Settings) -> None:
        home = settings.home
        super().__init__(home, OPERATIONS)
        self.settings = settings
        self.account = Account(home / "account.json", self.book)
        self.tokens = Tokens(home, settings.token_seconds)
        self.operations: Records[Operation] = Records(home / "operations", Operation)
        self.films: Records[StoredFilm] = Records(home / "films", StoredFilm)
        self._drawing = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))
        self._stopped = threading.Event()
        for operation in self.operations.newest_first():
            if not operation.done:
                self._work_on(operation)

    def running(self) -> int:
        """Operations that are not done."""
        return sum(not operation.done for operation in self.operations.newest_first())

    def start(self, operation: Operation, image: bytes | None) -> None:
        """Store an operation and work on it in the background."""
        if image is not None:
            path = self._image_path(operation)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(image)
        self.operations.save(operation)
        self._work_on(operation)

    def content(self, film: StoredFilm) -> bytes:
        return (self.settings.home / "content" / film.file).read_bytes()

    def film_bytes(self, operation: Operation) -> bytes:
        """The film of an operation that writes to no bucket."""
        return self._film_path(operation).read_bytes()

    def close(self) -> None:
        """Stop working; unfinished operations go on at the next start."""
        self._stopped.set()
        super().close()

    def _film_path(self, operation: Operation) -> Path:
        return self.settings.home / "content" / f"{operation.id}.mp4"

    def _image_path(self, operation: Operation) -> Path:
        return self.settings.home / "images" / operation.id

    def _work_on(self, operation: Operation) -> None:
        if operation.fate != "never":
            threading.Thread(target=self._run, args=(operation,), daemon=True).start()

    def _run(self, operation: Operation) -> None:
        refused = bool(operation.parameters.get("storageUri")) and not self.account.plan.writable
        problem = "" if operation.fate or refused else self._draw(operation)
        if self._stopped.wait(max(0.0, operation.due_at - time.time())):
            return
        now = time.time()
        if operation.fate == "filter":
            ended = replace(operation.made(now, []), message=operation.fated_message)
        elif operation.fate == "fail":
            ended = operation.failed(now, operation.fated_error, operation.fated_message)
        elif problem:
            ended = operation.failed(now, "INTERNAL", problem)
        elif refused:
            ended = operation.failed(now, "PERMISSION_DENIED", _NOT_WRITABLE)
        else:
            # After a kill in between, the next start does it again: a film is billed once, objects replace themselves.
            self._bill(operation, now)
            ended = operation.made(now, self._store(operation, now))
        self.operations.save(ended)

    def _draw(self, operation: Operation) -> str:
        """Draw the film; why that failed, or nothing."""
        given = operation.parameters
        model = MODELS[operation.model]
        size = SIZES[given["aspectRatio"], given["resolution"]]
        image = self._image_path(operation).read_bytes() if operation.has_image else None
        part = self._film_path(operation).with_suffix(".part")
        with self._drawing:
            try:
                title_card(
                    operation.prompt,
                    part,
                    size=size,
                    seconds=given["durationSeconds"],
                    audio=given["generateAudio"],
                    label=f"{model.title} · {given['durationSeconds']} s · {given['resolution']}",
                    backdrop=image,
                )
            except (ValueError, RuntimeError, OSError) as error:
                return f"{_FAILED} {error}"
        part.replace(self._film_path(operation))
        return ""

    def _bill(self, operation: Operation, now: float) -> None:
        seconds = operation.parameters["durationSeconds"] * operation.parameters["sampleCount"]
        self.account.charge(
            Charge(
                at=now,
                kind="operation",
                external_id=operation.name,
                request_id=operation.id,
                quantity=seconds,
                unit="seconds",
                credits=0,
                model=operation.model,
                usd=seconds * MODELS[operation.model].usd,
                request_sha256=hashlib.sha256(operation.prompt.encode()).hexdigest(),
                detail=operation.parameters.get("storageUri") or "",
            )
        )

    def _store(self, operation: Operation, now: float) -> list[str]:
        """Write the films to the bucket that was named; where they lie."""
        address = operation.parameters.get("storageUri")
        if not address:
            return []
        bucket, _, prefix = address.removeprefix("gs://").partition("/")
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        path = self._film_path(operation)
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).digest()
        addresses = []
        for number in range(operation.parameters["sampleCount"]):
            name = f"{prefix}{int(operation.created_at * 1000)}/sample_{number}.mp4"
            film = StoredFilm(
                id=f"{operation.id}-{number}",
                created_at=now,
                bucket=bucket,
                name=name,
                file=path.name,
                size=path.stat().st_size,
                md5=base64.b64encode(digest).decode(),
                hidden=operation.hidden,
            )
            self.films.save(film)
            addresses.append(f"gs://{bucket}/{name}")
        return addresses
