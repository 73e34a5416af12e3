"""The handle for tests and the curious, under `/stand-in`, where HeyGen has no paths. It asks for no key."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import Any

from stand_ins.faults import FaultError
from stand_ins.heygen.workspace import Workspace
from stand_ins.server import Reply, Request

__all__ = ["PREFIX", "control"]

PREFIX = "/stand-in"


def control(workspace: Workspace, request: Request) -> Reply:
    """Answer one control request.

    GET `/stand-in` (who is this), `/book`, `/requests`, `/faults`, `/plan`; POST `/faults` (add a rule or a list),
    `/balance` (`{"balance": usd}`, null: without limit), `/plan` (fields of `Plan`); DELETE `/faults`.
    """
    try:
        return Reply.json(_answer(workspace, request))
    except (FaultError, ValueError, TypeError) as error:
        return Reply.json({"error": str(error)}, 400)


def _answer(workspace: Workspace, request: Request) -> Any:
    content = json.loads(request.body) if request.body else {}
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "":
            return {"stand_in": "heygen", "pid": os.getpid(), "home": str(workspace.settings.home)}
        case "GET", "/book":
            return [asdict(row) for row in workspace.book.rows()]
        case "GET", "/requests":
            return workspace.log.rows()
        case "GET", "/faults":
            return workspace.faults.rules()
        case "POST", "/faults":
            workspace.faults.add(content)
            return workspace.faults.rules()
        case "DELETE", "/faults":
            workspace.faults.clear()
            return []
        case "POST", "/balance":
            workspace.account.set_balance(content["balance"])
            return {"balance": workspace.account.usd_left}
        case "GET", "/plan":
            return asdict(workspace.account.plan)
        case "POST", "/plan":
            workspace.account.change(content)
            return asdict(workspace.account.plan)
    raise ValueError(f"There is no {request.method} {request.path} here.")
