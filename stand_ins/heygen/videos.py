"""Videos: `/v3/videos`, their states, and the download of their results."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from stand_ins.heygen.account import RATES
from stand_ins.heygen.call import Call, page_of
from stand_ins.heygen.errors import ApiError
from stand_ins.heygen.links import PREFIX, check_link, expired
from stand_ins.heygen.records import Asset, Video
from stand_ins.heygen.schema import FromAvatar, FromImage
from stand_ins.heygen.workspace import new_id, text_of
from stand_ins.server import Reply

__all__ = ["check", "delete", "download", "list_videos", "statuses", "submit", "text_of_download", "text_of_video"]

LONGEST = 600.0
LARGEST = 50 * 1024 * 1024
DEFAULT_ENGINE = "avatar_iv"
_SIDES = {"720p": 720, "1080p": 1080, "4k": 2160}
_RATIOS = {"16:9": (16, 9), "9:16": (9, 16), "4:5": (4, 5), "5:4": (5, 4), "1:1": (1, 1), "auto": (16, 9)}
_CHARACTERS_PER_SECOND = 15
_FAILURES = {
    "moderation_failed": "The content was flagged by our moderation.",
    "internal_error": "Something went wrong while rendering the video.",
}


def submit(call: Call) -> Reply:
    """`POST /v3/videos`: the same key is answered with the same video."""
    key = call.request.headers.get("idempotency-key")
    known = call.workspace.keys.video(key)
    if known is None:
        # One at a time: two requests must not both see the last free place, or the last of the money.
        with call.workspace.submitting:
            known = _accepted(call, call.body, key or "")
            call.workspace.start(known)
    return Reply.json({"data": {"video_id": known.id, "status": "waiting", "output_format": "mp4"}})


def check(call: Call) -> Reply:
    """`GET /v3/videos/{id}`."""
    # A link that was signed long ago is dead on arrival.
    stale = call.now - call.workspace.settings.url_seconds - 60 if call.faults.answers("expire-url") else None
    shown = call.workspace.video_json(_find(call), call.now, call.request.base_url, signed_at=stale)
    return Reply.json({"data": shown})


def list_videos(call: Call) -> Reply:
    """`GET /v3/videos`, newest first, by folder and by a part of the title."""
    query = call.query
    videos = [
        video
        for video in call.workspace.videos.newest_first()
        if not video.hidden
        and not video.deleted
        and (query.title is None or query.title.lower() in video.title.lower())
        and query.folder_id in (None, video.folder_id)
    ]
    rows = [call.workspace.video_json(video, call.now, call.request.base_url) for video in videos]
    return page_of(rows, query.limit, query.token)


def statuses(call: Call) -> Reply:
    """`GET /v3/videos/statuses`: many at once."""
    rows = []
    for name in (call.query.video_ids or "").split(","):
        video = call.workspace.videos.get(name)
        known = video is not None and not video.deleted
        status = video.status(call.now) if video is not None and known else "not_found"
        rows.append({"video_id": name, "status": "queued" if status == "pending" else status, "batch_id": None})
    return Reply.json({"data": rows, "has_more": False, "next_token": None})


def delete(call: Call) -> Reply:
    """`DELETE /v3/videos/{id}`: gone for its owner; what is being made is made and charged all the same."""
    video = _find(call)
    call.workspace.videos.change(video.id, lambda known: replace(known, deleted=True))
    return Reply.json({"data": {"id": video.id, "deleted": True}})


def download(call: Call) -> Reply:
    """The link of a finished video or of its captions; no key is asked for."""
    refusal = check_link(call.request, call.workspace.signing_key)
    if refusal is not None:
        return refusal
    if call.faults.answers("expire-url"):
        return expired()
    path = call.workspace.media_path(call.parameters["name"])
    if not path.exists():
        return Reply(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml")
    return Reply(200, path.read_bytes(), "video/mp4" if path.suffix == ".mp4" else "application/x-subrip")


def text_of_video(call: Call) -> str:
    """The text of the video that is asked for, or to be made, for rules to match."""
    if "id" in call.parameters:
        video = call.workspace.videos.get(call.parameters["id"])
        return text_of(video) if video else ""
    body = call.body
    return " ".join(part for part in (body.title, getattr(body, "avatar_id", ""), body.script) if part)


def text_of_download(call: Call) -> str:
    video = call.workspace.videos.get(call.request.path.removeprefix(PREFIX).rpartition(".")[0])
    return text_of(video) if video else ""


def _accepted(call: Call, body: FromAvatar | FromImage, key: str) -> Video:
    """The video that a request asks for, when everything about it is right; raise ApiError."""
    workspace = call.workspace
    sound = _sound(call, body)
    background, colour = _background(call, body)
    resolution = body.resolution or "1080p"
    engine = body.engine.type if body.engine else DEFAULT_ENGINE
    model = engine + ("/4k" if resolution == "4k" else "")
    expected = sound.seconds if sound and sound.seconds else len(body.script or "") / _CHARACTERS_PER_SECOND
    estimate = expected * RATES.get(model, max(RATES.values()))
    running = workspace.running()
    workspace.account.require_place(len(running))
    workspace.account.require_funds(estimate, sum(video.estimate for video in running))
    fate = call.faults.fate
    failing = fate is not None and fate.do == "fail-job"
    reason = fate.reason if fate is not None and failing else ""
    usual = _FAILURES.get(reason, f"The video failed: {reason}.") if failing else ""
    return Video(
        id=new_id(),
        created_at=call.now,
        request_id=call.request_id,
        starts_at=call.now + workspace.settings.pending_seconds,
        due_at=call.now + workspace.settings.job_seconds,
        title=body.title or "",
        avatar=body.avatar_id if isinstance(body, FromAvatar) else "image",
        model=model,
        size=_size(resolution, body.aspect_ratio or "16:9"),
        speech_sha256=sound.sha256 if sound else hashlib.sha256((body.script or "").encode()).hexdigest(),
        audio_asset=sound.id if sound else "",
        script=body.script or "",
        voice=body.voice_id or "",
        background_asset=background,
        background_color=colour,
        idempotency_key=key,
        callback_id=body.callback_id or "",
        callback_url=body.callback_url or "",
        folder_id=body.folder_id or "",
        base_url=call.request.base_url,
        estimate=estimate,
        fate="fail" if failing else "never" if fate is not None else "",
        hidden=call.faults.listing is not None,
        failure_code=reason,
        failure_message=(fate.message if fate else "") or usual,
    )


def _sound(call: Call, body: FromAvatar | FromImage) -> Asset | None:
    """The uploaded sound that is to be spoken; None for a script."""
    if body.audio_url is not None:
        raise ApiError(400, "The draft provider fetches nothing; upload the sound as an asset.", code="download_failed")
    if body.audio_asset_id is None:
        return None
    asset = _asset(call, body.audio_asset_id, "audio_asset_id", "audio/")
    if asset.size > LARGEST:
        raise ApiError(400, "The audio exceeds the limit of 50 MB.", parameter="audio_asset_id")
    if (asset.seconds or 0.0) > LONGEST + 1:
        raise ApiError(400, "The audio exceeds the limit of 10 minutes.", parameter="audio_asset_id")
    return asset


def _background(call: Call, body: FromAvatar | FromImage) -> tuple[str, str]:
    """Asset and colour behind the person."""
    if isinstance(body, FromImage):
        if body.image.asset_id is None:
            raise ApiError(400, "The draft provider takes images as assets only.", code="download_failed")
        return _asset(call, body.image.asset_id, "image.asset_id", "image/").id, ""
    if body.background is None:
        return "", ""
    if body.background.url is not None:
        raise ApiError(400, "The draft provider fetches nothing; upload the image as an asset.", code="download_failed")
    if body.background.asset_id is not None:
        return _asset(call, body.background.asset_id, "background.asset_id", "image/").id, ""
    return "", body.background.value or ""


def _asset(call: Call, asset_id: str, parameter: str, kind: str) -> Asset:
    asset = call.workspace.assets.get(asset_id)
    if asset is None or not asset.ready:
        raise ApiError(400, f"Asset {asset_id} is not available.", code="asset_not_available", parameter=parameter)
    if not asset.content_type.startswith(kind):
        raise ApiError(400, f"Asset {asset_id} is {asset.content_type}.", code="invalid_parameter", parameter=parameter)
    return asset


def _size(resolution: str, ratio: str) -> tuple[int, int]:
    side, (across, down) = _SIDES[resolution], _RATIOS[ratio]
    short = min(across, down)
    return side * across // short // 2 * 2, side * down // short // 2 * 2


def _find(call: Call) -> Video:
    video = call.workspace.videos.get(call.parameters["id"])
    if video is None or video.deleted:
        raise ApiError(404, f"Video {call.parameters['id']} was not found.")
    return video
