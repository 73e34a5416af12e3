"""What the stand-ins take for valid keys."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

__all__ = ["DRAFT_KEY", "draft_key"]

DRAFT_KEY = "draft-key"
"""The one key that is accepted, where a key is a word."""


def draft_key(provider: str, home: Path) -> str:
    """What belongs into a provider's secret when its stand-in in `home` is to be called; it need not run yet.

    A stand-in whose provider takes no word for a key has a function `draft_secret` that makes one.
    """
    package: Any = importlib.import_module(f"stand_ins.{provider}")
    return str(package.draft_secret(home)) if hasattr(package, "draft_secret") else DRAFT_KEY
