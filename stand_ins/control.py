"""The handle for tests and the curious, under `/stand-in`, where no provider has paths. It asks for no key."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from stand_ins.account import BilledAccount
from stand_ins.home import Home
from stand_ins.server import Reply, Request

__all__ = ["control", "is_control"]

PREFIX = "/stand-in"


def is_control(request: Request) -> bool:
    """Whether a request is for `control`."""
    return request.path == PREFIX or request.path.startswith(PREFIX + "/")


def control(home: Home, account: BilledAccount[Any], request: Request, about: dict[str, Any]) -> Reply:
    """Answer one control request.

    GET `/stand-in` (who is this: the process, its folder, and `about`), `/book`, `/requests`, `/faults`, `/plan`; POST
    `/faults` (add a rule or a list), `/balance` (`{"balance": n}` in what the provider counts, null: without limit),
    `/plan` (fields of `Plan`); DELETE `/faults`.
    """
    try:
        return Reply.json(_answer(home, account, request, about))
    except (ValueError, TypeError, KeyError) as error:
        return Reply.json({"error": str(error)}, 400)


def _answer(home: Home, account: BilledAccount[Any], request: Request, about: dict[str, Any]) -> Any:
    content = json.loads(request.body) if request.body else {}
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "":
            return {"pid": os.getpid(), "home": str(home.folder)} | about
        case "GET", "/book":
            return [asdict(row) for row in home.book.rows()]
        case "GET", "/requests":
            return home.log.rows()
        case "GET", "/faults":
            return home.faults.rules()
        case "POST", "/faults":
            home.faults.add(content)
            return home.faults.rules()
        case "DELETE", "/faults":
            home.faults.clear()
            return []
        case "POST", "/balance":
            if not isinstance(content, dict) or "balance" not in content:
                raise ValueError('Write {"balance": 0}, or null for an account without limit.')
            account.set_balance(content["balance"])
            return {"balance": account.left}
        case "GET", "/plan":
            return asdict(account.plan)
        case "POST", "/plan":
            account.change(content)
            return asdict(account.plan)
    raise ValueError(f"There is no {request.method} {request.path} here.")
