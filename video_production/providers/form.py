"""Files sent as forms (`multipart/form-data`, RFC 7578), written to the disk first: they are never held in memory."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from typing import IO

__all__ = ["write_form"]


def write_form(
    form: IO[bytes], fields: Mapping[str, str], content: IO[bytes], *, name: str, file_name: str, content_type: str
) -> str:
    """Write `fields` and, last, the file `content` under `name` into `form`; return the request's Content-Type."""
    boundary = secrets.token_hex(16)
    for field, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(field)}"\r\n\r\n'
        form.write(f"{head}{value}\r\n".encode())
    disposition = f'form-data; name="{_quoted(name)}"; filename="{_quoted(file_name)}"'
    form.write(f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {content_type}\r\n\r\n".encode())
    shutil.copyfileobj(content, form, 1 << 20)
    form.write(f"\r\n--{boundary}--\r\n".encode())
    form.flush()
    return f"multipart/form-data; boundary={boundary}"


def _quoted(text: str) -> str:
    """A name between quotes, escaped as browsers do it."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
