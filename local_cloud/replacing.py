"""Replacing something inside a library, until it is taken back."""

from __future__ import annotations

import contextlib
from typing import Any

__all__ = ["replace"]


def replace(owner: Any, name: str, replacement: Any, undo: contextlib.ExitStack) -> Any:
    """Set an attribute until `undo` is unwound; returns what it was."""
    original = getattr(owner, name)
    if name in vars(owner):
        undo.callback(setattr, owner, name, vars(owner)[name])  # as it stands there: a static method stays one
    else:
        undo.callback(delattr, owner, name)
    setattr(owner, name, replacement)
    return original
