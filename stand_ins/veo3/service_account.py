"""A throwaway service account: its key is made by whoever needs it first, and nothing else has ever known it."""

from __future__ import annotations

import fcntl
import json
import secrets
from pathlib import Path
from typing import Any

from stand_ins.files import read_json, write_json

__all__ = ["PROJECT", "TOKEN_URL", "draft_secret", "service_account"]

PROJECT = "drafts"
TOKEN_URL = "https://oauth2.googleapis.com/token"
"""Whom assertions are made out to, wherever they are sent."""


def draft_secret(home: Path) -> str:
    """What belongs into the provider's secret when the stand-in in `home` is to be called."""
    return json.dumps(service_account(home))


def service_account(home: Path) -> dict[str, Any]:
    """The key of the stand-in in `home`, in the form in which Google gives out keys."""
    home.mkdir(parents=True, exist_ok=True)
    path = home / "service-account.json"
    with (home / "key.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known: dict[str, Any] = read_json(path, {})
        if not known:
            known = _new_account()
            write_json(path, known)
    return known


def _new_account() -> dict[str, Any]:
    # Only here: every start of the local cloud asks for the key, and the first one alone makes it.
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": secrets.token_hex(20),
        "private_key": text.decode(),
        "client_email": f"draft@{PROJECT}.iam.gserviceaccount.com",
        "client_id": "".join(secrets.choice("0123456789") for _ in range(21)),
        "token_uri": TOKEN_URL,
    }
