"""The ElevenLabs module behind the one provider interface.

A voiceover is bought in one of two ways. The *job* is submitted, polled and downloaded. The *timed* call answers with
the sound itself and the time of each character; it makes captions possible and needs no polling, but the paid request
lasts as long as the synthesis. Facts: the ElevenLabs API reference and the official SDK 2.78.0.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from video_production.errors import (
    OperatorError,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    SecretMissing,
    TransientError,
    VideoProductionError,
)
from video_production.metrics import Report, unreported
from video_production.providers import prices
from video_production.providers.elevenlabs.history import external_id_of, matches_of
from video_production.providers.elevenlabs.parts import voiceover_parts
from video_production.providers.elevenlabs.refusals import JOB_API_REFUSED, Subject, explain, failure_sentence
from video_production.providers.elevenlabs.requests import (
    JOB,
    TIMED,
    effective_config,
    job_body,
    job_can_do,
    script_of,
    timed_body,
)
from video_production.providers.http import Answer, Explain, Explanation, ProviderHttp
from video_production.providers.interface import (
    Attempt,
    Destination,
    GenerationRequest,
    Made,
    Price,
    Progress,
    Submission,
    Unknown,
)
from video_production.providers.secrets import ApiKey
from video_production.providers.workplace import workplace
from video_production.settings import FunctionSettings
from video_production.storage import Storage

if TYPE_CHECKING:
    from video_production.providers.elevenlabs.timed import TimedAnswer

# What handles sound is imported where sound is handled: most looks at a job find it unfinished, in a function that is
# often started anew.

__all__ = ["BASE_URL", "ElevenLabs"]

BASE_URL = "https://api.elevenlabs.io"
_LARGEST_SOUND = 400 << 20
"""Bytes; the longest text there is makes some 45 minutes of speech, 45 MB as MP3 and 260 MB as 48 kHz WAV."""
_LARGEST_LISTING = 64 << 20
_DOWNLOAD_SECONDS = 120.0
_HICCUP_SECONDS = 10.0
_NO_SUCH_JOB = (402, 403, 404, 405)
"""Statuses of the job API after which a name may still be one of the history's: not a job, or no job API allowed."""


class ElevenLabs:
    """Buys voiceovers from ElevenLabs. `submit_budget` is the total time of one paid request in seconds.

    With `webhooks`, jobs ask for a webhook at their end; ElevenLabs refuses that while nobody is subscribed.
    """

    name = "elevenlabs"
    title = "ElevenLabs"
    adapter_version = 1

    def __init__(
        self,
        key: ApiKey,
        storage: Storage,
        *,
        base_url: str = BASE_URL,
        submit_budget: float = 240.0,
        webhooks: bool = False,
        http: ProviderHttp | None = None,
        price_list: prices.PriceList | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._storage = storage
        self._base_url = base_url.rstrip("/")
        self._submit_budget = submit_budget
        self._webhooks = webhooks
        self._http = http or ProviderHttp(self.name, "ElevenLabs")
        self._price_list = price_list
        self._clock = clock

    @classmethod
    def from_settings(cls, settings: FunctionSettings, storage: Storage, *, report: Report = unreported) -> ElevenLabs:
        """The module as a function's environment wants it: live or a stand-in, by nothing but the address."""
        provider = settings.provider(cls.name)
        return cls(
            ApiKey(provider.secret),
            storage,
            base_url=provider.base_url or BASE_URL,
            submit_budget=provider.submit_budget,
            webhooks=provider.webhooks,
            http=ProviderHttp(
                cls.name, "ElevenLabs", ca_bundle=settings.variables.get("REQUESTS_CA_BUNDLE"), report=report
            ),
            price_list=prices.PriceList.of(settings.prices),
        )

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return effective_config(node_type, config)

    def parts(self, request: GenerationRequest) -> tuple[GenerationRequest, ...]:
        """The request itself, or, where its script is too long for one, a request for each part of the script."""
        return voiceover_parts(request)

    def assemble(
        self,
        parts: Sequence[Made],
        request: GenerationRequest,  # noqa: ARG002 - what was made of it says all
        destination: Destination,
    ) -> Made:
        """The parts as one sound, not encoded again, with the captions moved to where each part begins."""
        from video_production.providers.elevenlabs.joining import join_voiceover

        with workplace(self.name) as folder:
            return join_voiceover(self._storage, parts, destination, folder)

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:
        """ "job" where the job API can make exactly this and has not refused itself, else "timed"."""
        return JOB if JOB not in refused_ways and job_can_do(request.config) else TIMED

    def price(self, request: GenerationRequest) -> Price:
        """Characters as ElevenLabs counts them, and their list price."""
        return prices.price_of(self.name, request.config["modelId"], len(script_of(request)), self._price_list)

    def cancel(self, external_id: str) -> bool:  # noqa: ARG002 - ElevenLabs stops nothing that it has accepted
        return False

    def submit(self, attempt: Attempt) -> Submission:
        """Send the one paid request. A timed answer is stored at the attempt's destination before this returns."""
        try:
            if attempt.way == JOB:
                return self._submit_job(attempt)
            with workplace(self.name) as folder:
                return self._submit_timed(attempt, folder)
        except (OperatorError, TransientError) as error:
            # Raised before the request alone (the API key, room on the disk): what fails after it is ambiguous.
            wait = _HICCUP_SECONDS if isinstance(error, TransientError) else None
            raise ProviderRefused(
                str(error),
                provider=self.name,
                code="not_sent",
                retry_after=wait,
                account=isinstance(error, SecretMissing),
            ) from error
        except OSError as error:
            raise self._http.ambiguous(f"its answer could not be kept: {error.strerror}") from error

    def check(self, external_id: str) -> Progress:
        """Ask how a job stands. A name that is no job is looked up in the history: a person may have adopted it.

        Raises ProviderUnreachable, or ProviderJobFailed with HTTP status 404 where ElevenLabs knows neither.
        """
        name = quote(external_id, safe="")
        try:
            return self._progress(self._fetch(f"/v1/flows/text-to-speech/{name}", operation="check"))
        except ProviderUnreachable as error:
            if error.http_status not in _NO_SUCH_JOB:
                raise
            no_job = error
        try:
            row = self._fetch(f"/v1/history/{name}")
        except ProviderUnreachable as error:
            if error.http_status not in (400, 404) or no_job.http_status != 404:
                raise no_job from None
            message = f"ElevenLabs no longer knows the job {external_id}."
            raise ProviderJobFailed(message, provider=self.name, code=error.code, http_status=404) from None
        return Progress("completed", "in history", result={"history_item_id": str(row["history_item_id"])})

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made:
        """Download a completed job's sound, check it, store it. Raises ProviderUnreachable when `check` must be asked
        again: its address has expired, or the download broke off."""
        if "history_item_id" in progress.result:
            row = self._fetch(f"/v1/history/{quote(progress.result['history_item_id'], safe='')}")
            return self._from_history(row, attempt, external_id)
        with workplace(self.name) as folder:
            path = self._download(folder, progress.result["content_url"], _explain_download, follow=True)
            return self._stored(path, attempt, external_id)

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:
        """Look in our own storage, then in ElevenLabs' history. Raises ProviderUnreachable; what Storage raises."""
        if attempt.way == TIMED:
            from video_production.providers.elevenlabs.delivery import delivered

            made = delivered(self._storage, attempt.destination, captions=attempt.request.config["captions"])
            if made is not None:
                return replace(made, cost=self.price(attempt.request))
        rows = matches_of(attempt, bound, self._fetch)
        if rows is None:
            return Unknown("ElevenLabs' history is too long to be searched to its end")
        if not rows:
            return Unknown("ElevenLabs' history shows no such voiceover, which does not prove that none was made")
        if len(rows) > 1:
            return Unknown(f"ElevenLabs' history shows {len(rows)} voiceovers of this script by this voice")
        return self._from_history(rows[0], attempt, external_id_of(rows[0]))

    # The two ways to buy

    def _submit_job(self, attempt: Attempt) -> Submission:
        config = attempt.request.config
        url = f"{self._base_url}/v1/flows/text-to-speech"
        try:
            body = job_body(config, script_of(attempt.request), webhook=self._webhooks)
            answer = self._paid(url, body, config)
        except ProviderRefused as refusal:
            # 404 and 405 without a known code mean that this address has no job API at all.
            if refusal.code in JOB_API_REFUSED or (refusal.http_status in (404, 405) and not refusal.code):
                refusal.fallback = TIMED
            raise
        try:
            external_id = json.loads(answer.content)["id"]
        except (ValueError, KeyError, TypeError):
            external_id = None
        if not isinstance(external_id, str) or not external_id:
            raise self._http.ambiguous("it accepted the job without an id", http_status=answer.status)
        named = answer.headers.get("request-id")
        return Submission(external_id, aliases=(named,) if named else ())

    def _submit_timed(self, attempt: Attempt, folder: Path) -> Submission:
        from video_production.providers.elevenlabs.timed import read_timed_answer

        config = attempt.request.config
        url = f"{self._base_url}/v1/text-to-speech/{quote(config['voiceId'], safe='')}/with-timestamps"
        body = timed_body(config, script_of(attempt.request))
        with (folder / "answer").open("w+b") as file:
            answer = self._paid(url, body, config, params={"output_format": config["outputFormat"]}, into=file)
            try:
                path = folder / "sound"
                with path.open("wb") as sound:
                    timed = read_timed_answer(file, sound)
                external_id = answer.headers.get("request-id") or answer.headers.get("history-item-id") or attempt.id
                made = self._stored(path, attempt, external_id, timed)
            except ProviderUnreachable as error:
                raise self._http.ambiguous(str(error).rstrip("."), http_status=answer.status) from error
            except (VideoProductionError, OSError, ValueError) as error:
                reason = str(error).rstrip(".")
                raise self._http.ambiguous(f"it could not be stored: {reason}", http_status=answer.status) from error
        return Submission(external_id, made)

    def _paid(
        self,
        url: str,
        body: Mapping[str, Any],
        config: Mapping[str, Any],
        params: Mapping[str, str] | None = None,
        into: Any = None,
    ) -> Answer:
        deadline = self._clock() + self._submit_budget
        key = self._key.read()
        try:
            return self._http.paid_request(
                url,
                body,
                headers={"xi-api-key": key},
                budget=deadline - self._clock(),
                explain=self._explain(key, config),
                params=params,
                into=into,
                limit=_LARGEST_SOUND if into else 1 << 20,
            )
        except ProviderRefused as refusal:
            if refusal.http_status == 401:
                self._key.forget()
            raise

    # Free requests

    def _fetch(self, path: str, params: Mapping[str, str] | None = None, operation: str = "history") -> Any:
        """GET a JSON object."""
        key = self._key.read()
        return self._http.free_json(
            self._base_url + path,
            operation=operation,
            explain=self._explain(key),
            headers={"xi-api-key": key},
            params=params,
            limit=_LARGEST_LISTING,
        )

    def _progress(self, job: Mapping[str, Any]) -> Progress:
        """The union of a job's states, as the interface tells them; a new state counts as running."""
        word = str(job.get("status", ""))
        if word == "failed":
            reason = str(job.get("failure_reason", ""))
            sentence = failure_sentence(reason, str(job.get("error_message") or ""), Subject(self._key.name))
            return Progress("failed", word, failure=sentence, failure_code=reason, charged=False)
        if word != "completed":
            return Progress("running", word)
        if not job.get("content_url"):
            raise self._http.unreachable("ElevenLabs calls the job completed but gives no address to download from.")
        return Progress("completed", word, result={"content_url": str(job["content_url"])})

    def _from_history(self, row: Mapping[str, Any], attempt: Attempt, external_id: str) -> Made:
        """Store a voiceover that the history still has."""
        from video_production.providers.elevenlabs.timed import TimedAnswer

        name = quote(str(row["history_item_id"]), safe="")
        alignments = row.get("alignments")
        if alignments is None and attempt.request.config["captions"]:
            alignments = self._fetch(f"/v1/history/{name}").get("alignments")
        timed = TimedAnswer.from_json(alignments) if attempt.way == TIMED else None
        key = self._key.read()
        with workplace(self.name) as folder:
            url = f"{self._base_url}/v1/history/{name}/audio"
            path = self._download(folder, url, self._explain(key), headers={"xi-api-key": key})
            return self._stored(path, attempt, external_id, timed)

    def _download(
        self,
        folder: Path,
        url: str,
        explain: Explain,
        *,
        headers: Mapping[str, str] | None = None,
        follow: bool = False,
    ) -> Path:
        path = folder / "sound"
        try:
            with path.open("wb") as file:
                self._http.free_request(
                    url,
                    operation="download",
                    explain=explain,
                    headers=headers,
                    budget=_DOWNLOAD_SECONDS,
                    into=file,
                    limit=_LARGEST_SOUND,
                    follow=follow,
                    given_by=self._base_url if follow else "",
                )
        except OSError as error:
            raise self._http.unreachable(f"The voiceover could not be kept on the disk: {error.strerror}.") from error
        return path

    # What both ways share

    def _stored(self, path: Path, attempt: Attempt, external_id: str, timed: TimedAnswer | None = None) -> Made:
        """Check a sound file and store it with what belongs to it."""
        from video_production.providers.elevenlabs.delivery import deliver, record
        from video_production.providers.sound import finish_sound

        config = attempt.request.config
        try:
            sound = finish_sound(path, config["outputFormat"])
        except ValueError as error:
            reason = str(error).rstrip(".")
            raise self._http.unreachable(f"ElevenLabs delivered a sound file that is not whole: {reason}.") from error
        made = deliver(self._storage, attempt.destination, sound, external_id)
        if timed is not None:
            made = record(self._storage, attempt.destination, made, timed, captions=config["captions"])
        return replace(made, cost=self.price(attempt.request))

    def _explain(self, key: str, config: Mapping[str, Any] | None = None) -> Explain:
        about = config or {}
        subject = Subject(self._key.name, about.get("voiceId", ""), about.get("modelId", ""), key)
        return lambda status, content: explain(status, content, subject)


def _explain_download(status: int, content: bytes) -> Explanation:  # noqa: ARG001 - storage answers in its own XML
    if 400 <= status < 500 and status != 429:
        return Explanation("The download address of the voiceover is no longer valid; a fresh one is asked for.")
    return Explanation(f"The voiceover could not be downloaded (HTTP {status}); it is tried again.")
