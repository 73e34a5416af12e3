"""The bucket of Google Cloud Storage that films are written to, over its JSON API."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from video_production.errors import ProviderUnreachable
from video_production.providers.http import Explanation, ProviderHttp

__all__ = ["Bucket", "Film", "film_at"]

STORAGE_URL = "https://storage.googleapis.com"
_LARGEST_FILM = 1 << 30
"""Bytes; eight seconds in 1080p have some 30 million."""
_DOWNLOAD_SECONDS = 120.0
_CHUNK = 1 << 20
_PAGES = 20


@dataclass(frozen=True, slots=True)
class Film:
    """An object of the bucket; `size` in bytes and `md5` (base64) where Google tells them."""

    bucket: str
    name: str
    size: int | None = None
    md5: str = ""


def film_at(address: str) -> Film | None:
    """The object of `gs://bucket/object`; None for anything else."""
    bucket, _, name = address.removeprefix("gs://").partition("/")
    return Film(bucket, name) if address.startswith("gs://") and bucket and name else None


class Bucket:
    """Reads objects. `authorize` gives the header of a request; `forget` is told that it was refused."""

    def __init__(
        self,
        http: ProviderHttp,
        authorize: Callable[[], Mapping[str, str]],
        forget: Callable[[], None],
        *,
        base_url: str = STORAGE_URL,
    ) -> None:
        self._http = http
        self._authorize = authorize
        self._forget = forget
        self._base_url = base_url.rstrip("/")

    def films(self, bucket: str, prefix: str) -> list[Film]:
        """The films below a prefix, in order. Raises ProviderUnreachable, OperatorError, TransientError."""
        found: list[Film] = []
        params = {"prefix": prefix, "fields": "items(name,size,md5Hash,contentType),nextPageToken"}
        for _ in range(_PAGES):
            page = self._read(f"/storage/v1/b/{quote(bucket, safe='')}/o", params, bucket, prefix)
            found += [_film(bucket, item) for item in page.get("items") or [] if _is_film(item)]
            if not page.get("nextPageToken"):
                return found
            params = {**params, "pageToken": str(page["nextPageToken"])}
        raise self._http.unreachable(f"gs://{bucket}/{prefix} holds too many objects to be listed.")

    def download(self, film: Film, path: Path) -> None:
        """Fetch a whole film. Raises ProviderUnreachable, with HTTP status 404 where it is not there."""
        where = f"/storage/v1/b/{quote(film.bucket, safe='')}/o/{quote(film.name, safe='')}"
        about = self._read(where, {"fields": "name,size,md5Hash"}, film.bucket, film.name)
        film = _film(film.bucket, {"name": film.name, **about})
        with path.open("wb") as file:
            self._get(where, {"alt": "media"}, film.bucket, film.name, file)
        size = path.stat().st_size
        if film.size is not None and size != film.size:
            raise self._http.unreachable(
                f"The film was cut off: {size} of {film.size} bytes came. It is fetched again."
            )
        if film.md5 and _md5(path) != film.md5:
            raise self._http.unreachable("The film was damaged on its way. It is fetched again.")

    def _read(self, path: str, params: Mapping[str, str], bucket: str, name: str) -> dict[str, Any]:
        try:
            data = json.loads(self._get(path, params, bucket, name))
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise self._http.unreachable("Google Cloud Storage gave an unreadable answer.")
        return data

    def _get(self, path: str, params: Mapping[str, str], bucket: str, name: str, into: Any = None) -> bytes:
        try:
            return self._http.free_request(
                self._base_url + path,
                operation="download" if into else "bucket",
                explain=lambda status, content: _explain(status, content, bucket, name),
                headers=self._authorize(),
                params=params,
                budget=_DOWNLOAD_SECONDS if into else 30.0,
                into=into,
                limit=_LARGEST_FILM if into else 16 << 20,
            ).content
        except ProviderUnreachable as error:
            if error.http_status == 401:
                self._forget()
            raise


def _film(bucket: str, item: Mapping[str, Any]) -> Film:
    size = str(item.get("size", ""))
    return Film(bucket, str(item["name"]), int(size) if size.isdigit() else None, str(item.get("md5Hash") or ""))


def _is_film(item: Any) -> bool:
    named = isinstance(item, dict) and item.get("name")
    return bool(named) and (str(item["name"]).endswith(".mp4") or str(item.get("contentType", "")).startswith("video/"))


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return base64.b64encode(digest.digest()).decode()


def _explain(status: int, content: bytes, bucket: str, name: str) -> Explanation:  # noqa: ARG001 (one form for all)
    if status == 404:
        return Explanation(f"gs://{bucket}/{name} does not exist. Check the bucket in VEO3_BUCKET.", "notFound")
    if status in (401, 403):
        return Explanation(
            f"The Google credentials may not read gs://{bucket}/{name}; give them the role Storage Object User on the "
            "bucket.",
            "forbidden",
            account=True,
        )
    return Explanation(f"Google Cloud Storage answered HTTP {status}; it is asked again.")
