"""Where a provider module puts files while it works."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from video_production.errors import OperatorError

__all__ = ["workplace"]


@contextmanager
def workplace(provider: str) -> Iterator[Path]:
    """A folder for files of one step, gone afterwards. Raises OperatorError where there is no room for it."""
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"{provider}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise OperatorError(f"There is no room for temporary files ({error.strerror}); free some.") from error
    with folder as name:
        yield Path(name)
