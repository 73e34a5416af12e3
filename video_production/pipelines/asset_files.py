"""Assets: where they are, what they hold, and what is wrong with them before anything is uploaded."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import stat
from pathlib import Path

from video_production.pipelines.media_kinds import HEAD, kinds_of
from video_production.pipelines.node_base import Asset

__all__ = ["LARGEST_TEXT", "content_text", "file_digest", "find_problem", "head_of", "local_path", "text_of"]

LARGEST_TEXT = 1_000_000
"""In bytes: the largest text or JSON asset."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_S3 = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.*[^/]", re.DOTALL)
_HTTPS = re.compile(r"https://[^/\s@]+/\S+")
_NAMES = {"text": "text", "json": "JSON", "image": "an image", "video": "a video", "audio": "a sound"}
_CHUNK = 1 << 20

Finding = tuple[str, str]
"""The key of the asset that is wrong ("" for the asset as a whole) and the sentence about it."""


def local_path(asset: Asset, folder: Path) -> Path | None:
    """The file of an asset that lies on this machine; relative paths start at the document's folder."""
    if asset.source is None or _SCHEME.match(asset.source):
        return None
    return folder / asset.source


def content_text(asset: Asset) -> str:
    """The content of an inline asset as the text of its file."""
    if isinstance(asset.content, str):
        return asset.content
    return json.dumps(asset.content, ensure_ascii=False, allow_nan=False)


def text_of(asset: Asset, folder: Path) -> str | None:
    """The text of a text or JSON asset, or None where it is out of reach or unreadable."""
    if asset.content is not None:
        return asset.content if isinstance(asset.content, str) else None
    path = local_path(asset, folder)
    try:
        if path is None or not path.is_file() or path.stat().st_size > LARGEST_TEXT:
            return None
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError):
        return None


def head_of(asset: Asset, folder: Path) -> bytes:
    """The first bytes of an asset's file, as many as tell its kind; none where it is out of reach."""
    path = local_path(asset, folder)
    try:
        if path is None or not path.is_file():
            return b""
        with path.open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError):
        return b""


def file_digest(path: Path) -> str:
    """The SHA-256 hex digest of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def find_problem(asset: Asset, folder: Path) -> Finding | None:
    """The first thing that is wrong with an asset, or None. Local files are opened; of URLs only the form is judged."""
    if asset.source is not None and asset.content is not None:
        return "", "has both 'source' and 'content'. Keep one of them."
    if asset.source is not None:
        message = _source_problem(asset, asset.source, folder)
        return ("source", message) if message else None
    if asset.content is None:
        return "", "has neither 'source' nor 'content'. Give it one of them."
    message = _content_problem(asset)
    return ("content", message) if message else None


def _content_problem(asset: Asset) -> str:
    if asset.type not in ("text", "json"):
        return f"{_NAMES[asset.type]} can't be written into the document. Name its file with 'source'."
    if asset.type == "text":
        if not isinstance(asset.content, str):
            return "must be text. Put it in quotes, or under 'content: |'."
        return "" if asset.content.strip() else "is empty. Write the text."
    try:
        text = content_text(asset)
    except (TypeError, ValueError, RecursionError):
        return "holds a value that JSON does not know, such as a date. Put it in quotes."
    return _json_problem(text)


def _source_problem(asset: Asset, source: str, folder: Path) -> str:
    scheme = _SCHEME.match(source)
    if scheme is None:
        return _file_problem(asset, source, folder)
    if scheme[1].lower() == "s3":
        return "" if _S3.fullmatch(source) else f"'{source}' is not an S3 URL. Write s3://bucket/key."
    if scheme[1].lower() == "https":
        return "" if _HTTPS.fullmatch(source) else f"'{source}' is not a URL of a file. Write https://host/path."
    return f"'{scheme[1]}://' can't be read. Use a path next to the document, an s3:// or an https:// URL."


def _file_problem(asset: Asset, source: str, folder: Path) -> str:
    try:
        path = folder / source
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            return f"'{source}' is a folder. Name a file in it."
        if not stat.S_ISREG(status.st_mode):
            return f"'{source}' is not an ordinary file. Copy it into one."
        if status.st_size == 0:
            return f"'{source}' is empty. Put something into it."
        with path.open("rb") as file:
            head = file.read(HEAD)
        if asset.type in ("text", "json"):
            return _text_file_problem(asset, source, path, head)
    except (FileNotFoundError, NotADirectoryError):
        return f"'{source}' does not exist{_near_file(folder / source, source)}"
    except OSError as error:
        return f"'{source}' can't be read ({error.strerror}). Check the file and its permissions."
    except ValueError:
        return "is no path: it holds a character that file names can't have."
    kinds = kinds_of(head)
    if kinds and asset.type not in kinds:
        found = {"text": "a text file", "image": "an image", "video": "a video", "audio": "a sound"}[kinds[0]]
        return f"'{source}' is {found}, not {_NAMES[asset.type]}. Check the file, or the asset's 'type'."
    return ""


def _text_file_problem(asset: Asset, source: str, path: Path, head: bytes) -> str:
    kinds = kinds_of(head)
    if kinds and "text" not in kinds:
        return f"'{source}' is {_NAMES[kinds[0]]}, not {_NAMES[asset.type]}. Check the file, or the asset's 'type'."
    size = path.stat().st_size
    if size > LARGEST_TEXT:
        return f"'{source}' has {size / 1e6:.1f} MB; text may have {LARGEST_TEXT / 1e6:.0f} MB. Split it."
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"'{source}' is not UTF-8 text (byte {error.start + 1}). Save it as UTF-8."
    if "\0" in text:
        return f"'{source}' is not text: it holds zero bytes. Check the file."
    if not text.strip():
        return f"'{source}' is empty. Put something into it."
    message = _json_problem(text) if asset.type == "json" else ""
    return f"'{source}' {message}" if message else ""


def _json_problem(text: str) -> str:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:]
        return f"is not valid JSON (line {error.lineno}, column {error.colno}: {reason})."
    except RecursionError:
        return "is nested too deeply."
    return ""


def _near_file(path: Path, source: str) -> str:
    """`; did you mean …?` when a file of nearly that name lies in the same folder."""
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.68)
    if near:
        return f"; did you mean '{source[: len(source) - len(path.name)]}{near[0]}'?"
    return ". Paths start at the document's folder."
