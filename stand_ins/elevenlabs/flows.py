"""Flows: asynchronous jobs, their states and the download of their results."""

from __future__ import annotations

from typing import Any

from stand_ins.elevenlabs.audio import AudioFormat
from stand_ins.elevenlabs.call import Call
from stand_ins.elevenlabs.catalog import check_dictionaries, find_speaker, speech_model
from stand_ins.elevenlabs.errors import ApiError
from stand_ins.elevenlabs.links import PREFIX, check_link, expired
from stand_ins.elevenlabs.records import Job
from stand_ins.elevenlabs.schema import FlowsList
from stand_ins.elevenlabs.synchronous import check_text, settings_of
from stand_ins.elevenlabs.webhooks import targets_of
from stand_ins.elevenlabs.workspace import new_id
from stand_ins.server import Reply

__all__ = ["check", "download", "list_jobs", "submit", "text_of_download", "text_of_job"]


def submit(call: Call) -> Reply:
    """`POST /v1/flows/text-to-speech`."""
    body = call.body
    account = call.workspace.account
    account.require_flows()
    find_speaker(body.voice)
    model = speech_model(body.model_id)
    check_text(body.text, model)
    audio_format = AudioFormat.parse(body.output_format)
    account.require_tier(audio_format.smallest_plan, f"The output format {audio_format.name}")
    check_dictionaries(body.pronunciation_dictionary_locators)
    webhooks = targets_of(call)
    account.require_credits(model.credits(body.text))
    job = _job(call, body, webhooks)
    call.workspace.start_job(job)
    return Reply.json({"id": job.id, "status": "pending"})


def check(call: Call) -> Reply:
    """`GET /v1/flows/text-to-speech/{id}`."""
    return Reply.json(_job_json(call, _find_job(call)))


def list_jobs(call: Call) -> Reply:
    """`GET /v1/flows/text-to-speech`: newest first, and without texts, models or times."""
    query: FlowsList = call.query
    jobs = [
        job
        for job in call.workspace.jobs.newest_first()
        if query.model_id in (None, job.model) and query.status in (None, job.status(call.now))
    ]
    if query.cursor:
        places = [place for place, job in enumerate(jobs) if job.id == query.cursor]
        if not places:
            raise ApiError(400, "invalid_parameters", "The cursor is not valid.", parameter="cursor")
        jobs = jobs[places[0] + 1 :]
    page = jobs[: query.page_size]
    more = len(jobs) > len(page)
    return Reply.json(
        {
            "generations": [_job_json(call, job) for job in page],
            "next_cursor": page[-1].id if more else None,
            "has_more": more,
        }
    )


def download(call: Call) -> Reply:
    """The link of a completed job; no key is asked for."""
    refusal = check_link(call.request, call.workspace.signing_key)
    if refusal is not None:
        return refusal
    if call.faults.answers("expire-url"):
        return expired(call.now - 1)
    job = call.workspace.jobs.get(call.parameters["name"])
    if job is None:
        return Reply(404, b"<Error><Code>NoSuchKey</Code></Error>", "application/xml; charset=UTF-8")
    audio = call.workspace.audio_path(job.history_item_id).read_bytes()
    return Reply(200, audio, AudioFormat.parse(job.output_format).content_type)


def text_of_job(call: Call) -> str:
    """The text of the job that is asked for, for rules to match."""
    job = call.workspace.jobs.get(call.parameters["id"])
    return job.text if job else ""


def text_of_download(call: Call) -> str:
    job = call.workspace.jobs.get(call.request.path.removeprefix(PREFIX))
    return job.text if job else ""


def _job(call: Call, body: Any, webhooks: list[str]) -> Job:
    settings, fate = call.workspace.settings, call.faults.fate
    failing = fate is not None and fate.do == "fail-job"
    reason = fate.reason if fate is not None and failing else ""
    return Job(
        id=new_id(),
        request_id=call.request_id,
        history_item_id=new_id(),
        created_at=call.now,
        starts_at=call.now + settings.pending_seconds,
        due_at=call.now + settings.job_seconds,
        text=body.text,
        voice=body.voice,
        model=body.model_id,
        output_format=body.output_format,
        language=getattr(body, "language_code", None),
        settings=settings_of(body),
        fate="fail" if failing else "never" if fate is not None else "",
        hidden=call.faults.listing is not None,
        failure_reason=reason,
        error_message=(fate.message if fate else "") or (f"The generation failed: {reason}." if failing else ""),
        webhooks=webhooks,
        base_url=call.request.base_url,
    )


def _find_job(call: Call) -> Job:
    job = call.workspace.jobs.get(call.parameters["id"])
    if job is None:
        raise ApiError(404, "generation_not_found", f"A generation with id {call.parameters['id']} was not found.")
    return job


def _job_json(call: Call, job: Job) -> dict[str, Any]:
    # A link that was signed long ago is dead on arrival.
    stale = call.now - call.workspace.settings.url_seconds - 60 if call.faults.answers("expire-url") else None
    return call.workspace.job_json(job, call.now, base_url=call.request.base_url, signed_at=stale)
