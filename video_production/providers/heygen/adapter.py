"""The HeyGen module behind the one provider interface: talking heads by the v3 API.

Every paid request carries its attempt's id as idempotency key, and as the video's title. Its body is stored in S3
before it is sent, so that it can be sent once more word for word: within 24 hours HeyGen answers the same key with what
it answered first. Facts: HeyGen's developer pages and its official command line, as of 2026-11-22.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from video_production.errors import (
    InputError,
    MediaError,
    OperatorError,
    ProviderAmbiguous,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    SecretMissing,
    TransientError,
)
from video_production.metrics import Report, unreported
from video_production.providers import prices
from video_production.providers.heygen.refusals import Subject, explain, failure_sentence, refused_for_good
from video_production.providers.heygen.requests import (
    background_of,
    effective_config,
    priced_as,
    refuse_too_long,
    speech_of,
    tolerance,
    video_body,
)
from video_production.providers.http import Answer, Explain, ProviderHttp
from video_production.providers.interface import (
    Attempt,
    GenerationRequest,
    Made,
    OneRequest,
    Price,
    Progress,
    Submission,
    Unknown,
)
from video_production.providers.secrets import ApiKey
from video_production.providers.workplace import workplace
from video_production.settings import PROVIDER_FACTS, FunctionSettings
from video_production.storage import Storage

if TYPE_CHECKING:  # a clip is read where it is collected: most looks at a job find it unfinished
    from video_production.providers.clips import Clip

__all__ = ["BASE_URL", "HeyGen"]

BASE_URL = PROVIDER_FACTS["heygen"].base_url
_WAY = "video"
_BODY = "heygen.json"
"""Beside the attempt's other files: the request's body, and how long the speech in it lasts. Whoever stores it first
decides: the sender, that the request may be sent; who looks for a lost request, that it never will be."""
_NEVER = b'{"never": true}'
_BODY_LIMIT = 1 << 20
_KEY_SECONDS = 23 * 3600.0
"""For how long after the first request the same key is sure to find it; HeyGen keeps keys for 24 hours."""
_SEND_SECONDS = 20.0
"""What the preparation leaves for the paid request itself; half of the time where that is less."""
_HICCUP_SECONDS = 10.0
_PAGES = 20
_LISTING_LIMIT = 16 << 20


class HeyGen(OneRequest):
    """Buys talking heads from HeyGen. `submit_budget` is the total time of one paid request, uploads included.

    `engine` is what documents get that name none.
    """

    name = "heygen"
    title = "HeyGen"
    adapter_version = 1

    def __init__(
        self,
        key: ApiKey,
        storage: Storage,
        *,
        engine: str = "",
        base_url: str = BASE_URL,
        submit_budget: float = 120.0,
        http: ProviderHttp | None = None,
        price_list: prices.PriceList | None = None,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._storage = storage
        self._engine = engine
        self._base_url = base_url.rstrip("/")
        self._submit_budget = submit_budget
        self._http = http or ProviderHttp(self.name, self.title)
        self._price_list = price_list
        self._now = now
        self._clock = clock
        self._measured: dict[str, float] = {}

    @classmethod
    def from_settings(cls, settings: FunctionSettings, storage: Storage, *, report: Report = unreported) -> HeyGen:
        """The module as a function's environment wants it: live or a stand-in, by nothing but the address."""
        provider = settings.provider(cls.name)
        bundle = settings.variables.get("REQUESTS_CA_BUNDLE")
        return cls(
            ApiKey(provider.secret),
            storage,
            engine=provider.options.get("engine", ""),
            base_url=provider.base_url or BASE_URL,
            submit_budget=provider.submit_budget,
            http=ProviderHttp(cls.name, cls.title, ca_bundle=bundle, report=report),
            price_list=prices.PriceList.of(settings.prices),
        )

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return effective_config(node_type, config, engine=self._engine)

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:  # noqa: ARG002 - there is one
        """Always "video". RequestError for speech that is known to be too long: before anything is written or sent."""
        refuse_too_long(speech_of(request).duration or 0.0)
        return _WAY

    def price(self, request: GenerationRequest) -> Price:
        """Seconds of speech at the price of the engine. Raises what Storage raises where they must be measured."""
        speech = speech_of(request)
        seconds = speech.duration
        if seconds is None:
            seconds = self._measured.get(speech.sha256)
        if seconds is None:
            from video_production.providers.heygen.uploads import fetch_speech

            with workplace(self.name) as folder:
                seconds = self._measured[speech.sha256] = fetch_speech(self._storage, speech, folder).duration
        return self._priced(request, seconds)

    def cancel(self, external_id: str) -> bool:  # noqa: ARG002 - v3 stops nothing; to delete a video is not to stop it
        return False

    def submit(self, attempt: Attempt) -> Submission:
        """Upload what is needed, store the body, send the one paid request."""
        deadline = self._clock() + self._submit_budget
        try:
            body = self._prepared(attempt, deadline - min(_SEND_SECONDS, self._submit_budget / 2))
            return self._send(attempt, body, deadline - self._clock())
        except InputError as error:
            raise self._not_sent(error, None) from error
        except TransientError as error:
            raise self._not_sent(error, _HICCUP_SECONDS) from error
        except OperatorError as error:
            raise self._not_sent(error, None) from error
        except ProviderUnreachable as error:  # an upload: free, and the paid request was not sent
            raise self._not_sent(error, None if refused_for_good(error.http_status) else _HICCUP_SECONDS) from error

    def check(self, external_id: str) -> Progress:
        """Ask how a video stands; every word but two means that it is being made.

        Raises ProviderUnreachable, or ProviderJobFailed with HTTP status 404 where HeyGen does not know it.
        """
        try:
            video = self._fetch(f"/v3/videos/{quote(external_id, safe='')}", operation="check")["data"]
        except ProviderUnreachable as error:
            if error.http_status != 404:
                raise
            message = f"HeyGen no longer knows the video {external_id}."
            raise ProviderJobFailed(message, provider=self.name, code=error.code, http_status=404) from None
        word = str(video.get("status", ""))
        if word == "failed":
            code = str(video.get("failure_code") or "")
            said = str(video.get("failure_message") or "")
            sentence = failure_sentence(code, said, Subject(self._key.name))
            return Progress("failed", word, failure=sentence, failure_code=code, charged=False)
        if word != "completed":
            return Progress("running", word)
        if not video.get("video_url"):
            raise self._http.unreachable("HeyGen calls the video completed but gives no address to download it from.")
        wanted = ("video_url", "subtitle_url", "duration")
        return Progress("completed", word, result={name: video[name] for name in wanted if video.get(name)})

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made:
        """Download a finished video and its captions, check them, store them.

        An address that has expired is asked for once more. Raises ProviderUnreachable where repeating may help, and
        ProviderJobFailed where the video is whole but is not as long as what it was to say.
        """
        from video_production.providers.heygen.delivery import Delivery

        with workplace(self.name) as folder:
            delivery = Delivery(self._http, self._storage, attempt.destination, folder, self._base_url)
            try:
                clip, captions = delivery.fetch(progress.result)
            except ProviderUnreachable as error:
                if not refused_for_good(error.http_status):
                    raise
                clip, captions = delivery.fetch(self._finished(external_id))
            self._refuse_other_length(external_id, clip, attempt)
            made = delivery.store(clip, captions, external_id)
            return replace(made, cost=self._priced(attempt.request, clip.duration))

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:
        """Send the stored request once more with its key, or look for its title in HeyGen's list.

        Where no body was stored nothing was sent, and nothing will be, however late its sender wakes
        up: ProviderRefused. Raises ProviderUnreachable; what Storage raises.
        What is not wanted any more is only looked up, since to send it may be to buy it.
        """
        body = self._kept(attempt)
        why = "HeyGen's list shows no video of this title, which does not prove that none was made"
        key_is_known = body is not None and self._now() - attempt.sent_at < _KEY_SECONDS
        if body is not None and key_is_known and attempt.wanted:
            try:
                return self._send(attempt, body["body"], self._submit_budget)
            except ProviderAmbiguous as error:
                found = self._listed(attempt, bound)
                if found is not None:
                    return found
                waits = "HeyGen has not said yet what became of the request; it is asked again with the same key."
                raise self._http.unreachable(waits, code=error.code, http_status=error.http_status) from None
            except ProviderRefused as refusal:
                if refusal.retry_after is not None or refusal.http_status == 401:  # the key is read anew next time
                    raise self._http.unreachable(str(refusal), code=refusal.code) from None
                why = f"{str(refusal).rstrip('.')}; and {why}"
        found = self._listed(attempt, bound)
        if found is None and body is None:
            where = attempt.destination
            first = self._storage.put_first(_NEVER, where.bucket, where.prefix + _BODY, "application/json")
            if not first and self._kept(attempt) is not None:
                raise self._http.unreachable("The request to HeyGen is being sent just now; it is looked for again.")
            raise ProviderRefused(
                "The request to HeyGen was never sent; it is sent now.",
                provider=self.name,
                code="not_sent",
                retry_after=0.0,
            )
        if found is None and key_is_known and not attempt.wanted:
            raise self._http.unreachable("HeyGen's list does not show the request, which is not sent again for nobody.")
        return found or Unknown(why)

    # Sending

    def _prepared(self, attempt: Attempt, deadline: float) -> dict[str, Any]:
        """Everything that is free: look at the inputs, upload them, store the body."""
        from video_production.providers.heygen.uploads import Uploads, fetch_picture, fetch_speech

        request, where = attempt.request, attempt.destination
        behind = background_of(request)
        key = self._key.read()
        with workplace(self.name) as folder:
            speech = fetch_speech(self._storage, speech_of(request), folder)
            picture = fetch_picture(self._storage, behind, folder) if behind else None
            uploads = Uploads(self._http, self._base_url, key, self._explain(key, request), deadline, self._clock)
            audio_asset = uploads.upload(speech)
            background_asset = uploads.upload(picture) if picture else None
        if self._clock() > deadline:
            raise self._http.unreachable("The uploads to HeyGen took too long; they are tried again.")
        body = video_body(request.config, title=attempt.id, audio_asset=audio_asset, background_asset=background_asset)
        content = json.dumps({"body": body, "seconds": speech.duration}, ensure_ascii=False).encode()
        first = self._storage.put_first(content, where.bucket, where.prefix + _BODY, "application/json")
        if not first and self._kept(attempt) != json.loads(content):
            raise self._http.unreachable("The request to HeyGen was ready too late, so it was not sent.")
        return body

    def _send(self, attempt: Attempt, body: Mapping[str, Any], budget: float) -> Submission:
        key = self._key.read()
        try:
            answer = self._http.paid_request(
                f"{self._base_url}/v3/videos",
                body,
                headers={"x-api-key": key, "Idempotency-Key": attempt.id},
                budget=budget,
                explain=self._explain(key, attempt.request),
            )
        except ProviderRefused as refusal:
            if refusal.http_status == 401:
                self._key.forget()
            raise
        return Submission(self._video_id(answer))

    def _video_id(self, answer: Answer) -> str:
        try:
            video_id = json.loads(answer.content)["data"]["video_id"]
        except (ValueError, KeyError, TypeError):
            video_id = None
        if not isinstance(video_id, str) or not video_id:
            raise self._http.ambiguous("it accepted the request without naming the video", http_status=answer.status)
        return video_id

    def _not_sent(self, error: Exception, retry_after: float | None) -> ProviderRefused:
        status = error.http_status if isinstance(error, ProviderUnreachable) else None
        code = error.code if isinstance(error, ProviderUnreachable) else ""
        if status == 401:
            self._key.forget()
        return ProviderRefused(
            str(error),
            provider=self.name,
            code=code or "not_sent",
            http_status=status,
            retry_after=retry_after,
            account=isinstance(error, SecretMissing) or status in (401, 402, 403),
        )

    # Looking

    def _kept(self, attempt: Attempt) -> dict[str, Any] | None:
        """The stored body of an attempt; None where there is none, and never will be one."""
        where = attempt.destination
        try:
            kept: dict[str, Any] = json.loads(self._storage.read(where.bucket, where.prefix + _BODY, _BODY_LIMIT))
        except MediaError:
            return None
        return None if "never" in kept else kept

    def _listed(self, attempt: Attempt, bound: Container[str]) -> Submission | Unknown | None:
        """The video with the attempt's title; None where there is none, Unknown where there are several."""
        query = {"title": attempt.id, "limit": "100"}
        found: list[str] = []
        for _ in range(_PAGES):
            page = self._fetch("/v3/videos", query, operation="list")
            rows = [row for row in page["data"] if isinstance(row, Mapping)]
            names = [str(row.get("id")) for row in rows if row.get("title") == attempt.id and row.get("id")]
            found += [name for name in names if name not in bound]
            if not page.get("has_more") or not page.get("next_token"):
                break
            query["token"] = str(page["next_token"])
        if len(found) > 1:
            return Unknown(f"HeyGen's list shows {len(found)} videos of this title ({', '.join(found)})")
        return Submission(found[0]) if found else None

    def _fetch(self, path: str, params: Mapping[str, str] | None = None, *, operation: str) -> Any:
        """GET `{"data": …}`."""
        key = self._key.read()
        content = self._http.free_json(
            self._base_url + path,
            operation=operation,
            explain=self._explain(key),
            headers={"x-api-key": key},
            params=params,
            limit=_LISTING_LIMIT,
        )
        if not isinstance(content.get("data"), list if operation == "list" else dict):
            raise self._http.unreachable("HeyGen gave an unreadable answer.")
        return content

    # Collecting

    def _finished(self, external_id: str) -> Mapping[str, Any]:
        """Fresh addresses of a video that was finished a moment ago."""
        progress = self.check(external_id)
        if progress.state != "completed":
            raise self._http.unreachable(f"HeyGen says '{progress.word}' of a video that was finished.")
        return progress.result

    def _refuse_other_length(self, external_id: str, clip: Clip, attempt: Attempt) -> None:
        kept = self._kept(attempt)
        # Nobody wrote that down for a video which a person named.
        speech = float(kept["seconds"]) if kept else speech_of(attempt.request).duration
        if speech is None or abs(clip.duration - speech) <= tolerance(speech):
            return
        raise ProviderJobFailed(
            f"HeyGen's video {external_id} lasts {clip.duration:.1f} s, but what it was to say {speech:.1f} s. It was "
            "paid for; look at it on HeyGen's website, then change the node's config or retry.",
            provider=self.name,
            code="wrong_duration",
            charged=True,
        )

    # What all share

    def _priced(self, request: GenerationRequest, seconds: float) -> Price:
        return prices.price_of(self.name, priced_as(request.config), seconds, self._price_list)

    def _explain(self, key: str, request: GenerationRequest | None = None) -> Explain:
        subject = Subject(self._key.name, str(request.config.get("avatarId", "")) if request else "", key)
        return lambda status, content: explain(status, content, subject)
