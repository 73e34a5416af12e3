"""Model Routers: saved preferences that choose a model, and the log of what they chose.

The log is the only place of Runway's API where a task whose answer was lost can be found again.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

from stand_ins.runway.call import Call
from stand_ins.runway.errors import ApiError
from stand_ins.runway.generating import submit
from stand_ins.runway.schema import CREDITS_PER_SECOND, MODELS, TEXT_TO_VIDEO, parse
from stand_ins.runway.tasks import Router, Task, moment
from stand_ins.server import Reply

__all__ = ["create", "find", "generate", "list_all", "list_requests"]

_RATIOS = {("16:9", "720p"): "1280:720", ("9:16", "720p"): "720:1280"}
_LARGE = {("16:9", "1080p"): "1920:1080", ("9:16", "1080p"): "1080:1920"}


def create(call: Call) -> Reply:
    """`POST /v1/routers`."""
    body = call.body
    if any(router.slug == body.slug for router in call.workspace.routers.newest_first()):
        raise ApiError.of_field("slug", "A router with this slug exists already.")
    settings = body.settings.model_dump(by_alias=True, exclude_none=True)
    name, about = body.name or body.slug, body.description or ""
    router = Router(str(uuid.uuid4()), call.now, body.slug, name, about, settings)
    call.workspace.routers.save(router)
    return Reply.json(_shown(router))


def list_all(call: Call) -> Reply:
    """`GET /v1/routers?limit&cursor`, newest first."""
    return _page(call, [_shown(router) for router in call.workspace.routers.newest_first()])


def find(call: Call) -> Reply:
    """`GET /v1/routers/{id}`."""
    return Reply.json(_shown(_router(call)))


def list_requests(call: Call) -> Reply:
    """`GET /v1/routers/{id}/requests?limit&cursor`: decisions, newest first."""
    return _page(call, list(reversed(_router(call).requests)))


def generate(call: Call) -> Reply:
    """`POST /v1/generate/video`: the cheapest model of the router that can make what is asked for."""
    routers = [one for one in call.workspace.routers.newest_first() if one.slug == call.body.config_id]
    if not routers:
        raise ApiError(404, "router_config_not_found")
    router, wanted = routers[0], call.body.input
    bodies = [body for model in _allowed(router) if (body := _body(model, wanted)) is not None]
    if not bodies:
        _log(call, router, None, [])
        raise ApiError(400, "no_eligible_model")
    body = min(bodies, key=lambda one: CREDITS_PER_SECOND[one.model, one.sound])
    task = submit(call, "generate_video", body, None)
    _log(call, router, task, [one.model for one in bodies])
    routing = {
        "configId": router.slug,
        "model": task.model,
        "provider": "runway",
        "estimatedCost": {"credits": task.credits},
        "resolvedInput": wanted.model_dump(by_alias=True, exclude_none=True),
        "resolvedSettings": router.settings,
    }
    return Reply.json({"id": task.id, "routing": routing})


def _page(call: Call, rows: list[dict[str, Any]]) -> Reply:
    try:
        limit, start = int(call.request.query["limit"]), int(call.request.query.get("cursor") or 0)
    except (KeyError, ValueError):
        raise ApiError(400, "Validation of query failed", [{"path": ["limit"], "message": "Required"}]) from None
    end = start + max(1, limit)
    return Reply.json({"data": rows[start:end], "nextCursor": str(end) if end < len(rows) else None})


def _router(call: Call) -> Router:
    router = call.workspace.routers.get(call.parameters["id"])
    if router is None:
        raise ApiError(404, "Could not find a router with that ID.")
    return router


def _allowed(router: Router) -> list[str]:
    models = router.settings.get("models")
    if models is None:
        return list(MODELS)
    listed = models["mode"] == "allowlist_only"
    return [model for model in MODELS if (model in models["ids"]) is listed]


def _body(model: str, wanted: Any) -> Any:
    """The body that makes what is wanted with one model; None where it can't."""
    shape = (wanted.aspect_ratio, wanted.resolution)
    ratio = _RATIOS.get(shape) or _LARGE[shape]
    body = {"model": model, "promptText": wanted.prompt_text, "ratio": ratio, "duration": wanted.duration}
    if wanted.seed is not None:
        body["seed"] = wanted.seed
    if model == "gen4.5" and wanted.audio:
        return None
    if model != "gen4.5" and wanted.audio is not None:
        body["audio"] = wanted.audio
    try:
        return parse(TEXT_TO_VIDEO, json.dumps(body).encode())
    except ApiError:
        return None


def _log(call: Call, router: Router, task: Task | None, eligible: list[str]) -> None:
    rank = {"type": "rank", "outcome": "cost" if len(eligible) > 1 else "single_candidate"}
    filtered = {"type": "filter", "filter": "capability", "models": eligible}
    row = {
        "id": str(uuid.uuid4()),
        "createdAt": moment(call.now),
        "requestId": call.request_id,
        "status": "routed" if task else "no_eligible_model",
        "emptiedBy": [] if task else ["capability"],
        "model": task.model if task else None,
        "provider": "runway" if task else None,
        "estimatedCredits": task.credits if task else None,
        "taskId": task.id if task else None,
        "reasonCode": ("lowest_cost" if len(eligible) > 1 else "only_eligible_model") if task else None,
        "pipeline": [filtered, rank] if task else [filtered],
    }
    call.workspace.routers.change(router.id, lambda one: replace(one, requests=(*one.requests, row)))


def _shown(router: Router) -> dict[str, Any]:
    created = moment(router.created_at)
    about = {"id": router.id, "slug": router.slug, "name": router.name, "description": router.description}
    return {**about, "settings": router.settings, "createdAt": created, "updatedAt": created, "version": 1}
