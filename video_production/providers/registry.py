"""The provider modules by name, each imported when it is asked for: the command line and tools use one or two of them.

Functions don't use this: their packages hold only what they import, so each imports its own provider.
"""

from __future__ import annotations

import importlib
from typing import Any

from video_production.settings import PROVIDER_FACTS, PROVIDERS

__all__ = ["provider_class", "webhooks_of"]


def provider_class(name: str) -> Any:
    """The class of a provider (see `GenerationProvider`). Raises KeyError for a name that is none."""
    if name not in PROVIDERS:
        raise KeyError(name)
    return importlib.import_module(f"video_production.providers.{name}").PROVIDER


def webhooks_of(name: str) -> Any:
    """How to subscribe to a provider's webhooks: `register_webhook` and `find_webhook`. Raises KeyError without any."""
    if not PROVIDER_FACTS[name].webhooks:
        raise KeyError(name)
    return importlib.import_module(f"video_production.providers.{name}.webhooks")
