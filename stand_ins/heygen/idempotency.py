"""`Idempotency-Key`: the same key is answered with the same video for a day; while the first is at work, with 409.

What was accepted is known by the videos themselves, each of which holds its key: there is no second book that a kill
could leave behind the first. A refused request accepted nothing, so its key is free.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from stand_ins.heygen.errors import ApiError
from stand_ins.heygen.records import Video
from stand_ins.records import Records

__all__ = ["LIFETIME", "Keys"]

LIFETIME = 24 * 3600.0
_KEY = re.compile(r"[A-Za-z0-9_:.\-]{1,255}")


class Keys:
    """The keys in use. Safe from several threads."""

    def __init__(self, videos: Records[Video]) -> None:
        self._videos = videos
        self._at_work: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def held(self, key: str | None) -> Iterator[None]:
        """Hold a key while its request is at work. Raises ApiError 409 when another one with it is, 400 for no key."""
        if key is None:
            yield
            return
        if not _KEY.fullmatch(key):
            message = "Idempotency-Key must have 1 to 255 characters of A-Z a-z 0-9 _ : . -"
            raise ApiError(400, message, code="invalid_parameter", parameter="Idempotency-Key")
        with self._lock:
            if key in self._at_work:
                message = "A request with this Idempotency-Key is still in progress."
                raise ApiError(409, message, code="request_in_progress")
            self._at_work.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._at_work.discard(key)

    def video(self, key: str | None) -> Video | None:
        """The video that a request with this key made within the last day."""
        if key is None:
            return None
        since = time.time() - LIFETIME
        made = (video for video in self._videos.newest_first() if video.idempotency_key == key)
        return next((video for video in made if video.created_at > since), None)
