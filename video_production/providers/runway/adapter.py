"""The Runway module behind the one provider interface.

An animation is bought as a task: submitted, polled, downloaded. Runway keeps no list of tasks and knows no idempotency
keys, so a task whose id was lost can't be found by a machine. Facts: Runway's API documentation and the official SDK
5.24.0.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from video_production.errors import (
    InputError,
    OperatorError,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    RequestError,
    SecretMissing,
    TransientError,
)
from video_production.metrics import Report, unreported
from video_production.providers import prices
from video_production.providers.http import Explain, Explanation, ProviderHttp
from video_production.providers.interface import (
    Attempt,
    GenerationRequest,
    InputContent,
    Made,
    OneRequest,
    Price,
    Progress,
    Submission,
    Unknown,
)
from video_production.providers.runway.refusals import ACCOUNT_CODES, Subject, explain
from video_production.providers.runway.requests import (
    IMAGE,
    INLINE_LIMIT,
    TEXT,
    UPLOAD_LIMIT,
    body_of,
    data_uri,
    effective_config,
    image_of,
    media_type_of,
    price_model,
    prompt_of,
)
from video_production.providers.runway.tasks import progress_of, refundable
from video_production.providers.secrets import ApiKey
from video_production.providers.workplace import workplace
from video_production.settings import PROVIDER_FACTS, FunctionSettings
from video_production.storage import Storage, file_name

__all__ = ["API_VERSION", "BASE_URL", "Runway"]

_FACTS = PROVIDER_FACTS["runway"]
BASE_URL = _FACTS.base_url
API_VERSION = "2024-11-06"
_PACE = _FACTS.fastest_poll
"""Seconds between two looks at one task; Runway wants no more of them."""
_DOWNLOAD_SECONDS = 120.0
_LARGEST_CLIP = 1 << 30
_HICCUP_SECONDS = 10.0
_LEAST_BUDGET = 15.0
"""Seconds that a paid request needs; where preparing it left fewer, it is prepared again."""


class Runway(OneRequest):
    """Buys animations from Runway. `submit_budget` is the total time in seconds of one paid request and its uploads.

    `model` is what documents get that name none. `pace` is the shortest time in seconds between two looks at one task:
    a look that comes sooner gets the last answer.
    """

    name = _FACTS.name
    title = _FACTS.title
    adapter_version = 1

    def __init__(
        self,
        key: ApiKey,
        storage: Storage,
        *,
        model: str = "",
        base_url: str = BASE_URL,
        submit_budget: float = 120.0,
        http: ProviderHttp | None = None,
        price_list: prices.PriceList | None = None,
        pace: float = _PACE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key = key
        self._storage = storage
        self._model = model
        self._base_url = base_url.rstrip("/")
        self._submit_budget = submit_budget
        self._http = http or ProviderHttp(self.name, self.title)
        self._prices = price_list or prices.PriceList.read()
        self._pace = pace
        self._clock = clock
        self._seen: dict[str, tuple[float, Mapping[str, Any]]] = {}

    @classmethod
    def from_settings(cls, settings: FunctionSettings, storage: Storage, *, report: Report = unreported) -> Runway:
        """The module as a function's environment wants it: live or a stand-in, by address and pace alone."""
        provider = settings.provider(cls.name)
        return cls(
            ApiKey(provider.secret),
            storage,
            model=provider.options.get("model", ""),
            base_url=provider.base_url or BASE_URL,
            submit_budget=provider.submit_budget,
            http=ProviderHttp(
                cls.name, cls.title, ca_bundle=settings.variables.get("REQUESTS_CA_BUNDLE"), report=report
            ),
            price_list=prices.PriceList.of(settings.prices),
            pace=_PACE if provider.mode == "live" else min(_PACE, provider.poll_interval),
        )

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return effective_config(node_type, config, model=self._model)

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:  # noqa: ARG002 - there is one
        """ "image_to_video" where there is a picture to start from, else "text_to_video"."""
        prompt_of(request)
        return IMAGE if image_of(request) else TEXT

    def price(self, request: GenerationRequest) -> Price:
        """The credits that Runway asks for this model and length, and their price."""
        model = price_model(request.config)
        per_second = self._prices.providers.get(self.name, {}).get("credits_per_second", {})
        rate = per_second.get(model, per_second.get(request.config["model"]))
        if rate is None:
            raise OperatorError(f"The price list does not say how many credits Runway's {model} takes; add it.")
        return self._credits(request.config, rate * request.config["duration"])

    def submit(self, attempt: Attempt) -> Submission:
        """Send the one paid request; a large picture is uploaded before it, for free."""
        began = self._clock()
        try:
            key = self._key.read()
            body = self._body(attempt.request)
        except (InputError, OperatorError, TransientError, ProviderUnreachable) as error:
            raise self._not_sent(error) from error
        except OSError as error:
            raise self._not_sent(
                OperatorError(f"There is no room for the picture ({error.strerror}); free some.")
            ) from error
        left = self._submit_budget - (self._clock() - began)
        if left < min(_LEAST_BUDGET, self._submit_budget / 2):
            late = "Preparing the picture for Runway took too long, so nothing was sent; it is tried again."
            raise self._not_sent(TransientError(late))
        url = f"{self._base_url}/v1/{attempt.way}"
        try:
            answer = self._http.paid_request(
                url, body, headers=self._headers(key), budget=left, explain=self._explain(key)
            )
        except ProviderRefused as refusal:
            self._forget_refused_key(refusal.http_status)
            raise
        try:
            external_id = json.loads(answer.content)["id"]
        except (ValueError, KeyError, TypeError):
            external_id = None
        if not isinstance(external_id, str) or not external_id:
            raise self._http.ambiguous("it accepted the task without an id", http_status=answer.status)
        return Submission(external_id)

    def check(self, external_id: str) -> Progress:
        """Ask how a task stands. Raises ProviderUnreachable, or ProviderJobFailed with HTTP status 404 where Runway
        does not know the task: one that was deleted can't be told from one that never was."""
        try:
            task = self._task(external_id)
        except ProviderUnreachable as error:
            if error.http_status != 404:
                raise
            gone = f"Runway no longer knows the task {external_id}."
            raise ProviderJobFailed(gone, provider=self.name, http_status=404) from None
        try:
            # The task does not show its model, but a credit costs the same with all of them.
            return progress_of(
                task, Subject(self._key.name), lambda credits: self._prices.price(self.name, "", credits)
            )
        except ValueError:
            nowhere = "Runway calls the task finished but gives no address to download from."
            raise self._http.unreachable(nowhere) from None

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made:
        """Download a finished clip, check it, store it. Raises ProviderUnreachable when `check` must be asked again:
        its address has died, or the download broke off."""
        from video_production.providers.clips import deliver_clip, read_clip

        self._seen.pop(external_id, None)  # should this fail, the next look asks for fresh addresses
        with workplace(self.name) as folder:
            path = self._download(folder / "clip.mp4", progress.result["url"])
            try:
                clip = read_clip(path)
            except ValueError as error:
                raise self._http.unreachable(f"Runway delivered a clip that is not whole: {error}.") from error
            made = deliver_clip(self._storage, attempt.destination, clip, external_id)
        credits = progress.result.get("credits")
        cost = self.price(attempt.request) if credits is None else self._credits(attempt.request.config, credits)
        return replace(made, cost=cost)

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:  # noqa: ARG002
        """Always Unknown: there is nothing to ask."""
        return Unknown(
            "Runway lists no tasks and knows no idempotency keys; the request history of its developer portal shows "
            "whether the task exists"
        )

    def cancel(self, external_id: str) -> bool:
        """Delete a task that waits, which refunds it. A task that runs is paid for, so it is left to finish.

        Runway may start it in between: whether a deleted task was refunded can't be asked afterwards.
        """
        try:
            task = self._task(external_id)
            if not refundable(task):
                return False
            self._seen.pop(external_id, None)
            key = self._key.read()
            self._http.free_request(
                self._address(external_id),
                operation="cancel",
                method="DELETE",
                explain=self._explain(key),
                headers=self._headers(key),
            )
        except ProviderUnreachable as error:
            if error.http_status != 404:
                raise
        return True  # 404: an earlier deletion whose answer was lost

    # The request

    def _body(self, request: GenerationRequest) -> dict[str, Any]:
        prompt, image = prompt_of(request), image_of(request)
        if image is None:
            return body_of(request.config, prompt, None)
        with workplace(self.name) as folder:
            return body_of(request.config, prompt, self._picture(image, folder))

    def _picture(self, image: InputContent, folder: Path) -> str:
        """The address under which Runway finds a picture: within the request itself, or where it was uploaded."""
        name = file_name(image.s3_key)
        stored = self._storage.head(image.bucket, image.s3_key)
        if stored is not None and stored.size > UPLOAD_LIMIT:
            raise RequestError(f"The picture {name} has {stored.size:,} bytes; Runway takes at most {UPLOAD_LIMIT:,}.")
        path = folder / "picture"
        self._storage.download(image.bucket, image.s3_key, path)
        kind = media_type_of(path, name)
        return data_uri(path, kind) if path.stat().st_size <= INLINE_LIMIT else self._upload(path, name, kind)

    def _upload(self, path: Path, name: str, media_type: str) -> str:
        """Upload a file for 24 hours. It costs nothing and may be repeated."""
        from video_production.providers.form import write_form

        key = self._key.read()
        try:
            answer = self._http.free_request(
                f"{self._base_url}/v1/uploads",
                operation="upload",
                method="POST",
                explain=self._explain(key),
                headers=self._headers(key),
                body={"filename": name, "type": "ephemeral"},
            )
        except ProviderUnreachable as error:
            self._forget_refused_key(error.http_status)
            raise
        try:
            upload = json.loads(answer.content)
            url, fields, uri = str(upload["uploadUrl"]), dict(upload["fields"]), str(upload["runwayUri"])
        except (ValueError, KeyError, TypeError):
            raise self._http.unreachable(
                "Runway did not say where to upload the picture; nothing was sent yet."
            ) from None
        with path.open("rb") as content, path.with_name("form").open("w+b") as form:
            kind = write_form(form, fields, content, name="file", file_name=name, content_type=media_type)
            self._http.free_request(
                url,
                operation="upload",
                method="POST",
                explain=_explain_upload,
                headers={"Content-Type": kind},
                data=form,
                budget=self._submit_budget / 2,
                given_by=self._base_url,
            )
        return uri

    def _not_sent(self, error: Exception) -> ProviderRefused:
        """What failed before the paid request: nothing was made, and some of it is tried again."""
        curable = isinstance(error, TransientError | ProviderUnreachable)
        status = getattr(error, "http_status", None)
        refused = status is not None and 400 <= status < 500 and status not in (408, 429)
        return ProviderRefused(
            str(error),
            provider=self.name,
            code="not_sent",
            http_status=status,
            retry_after=_HICCUP_SECONDS if curable and not refused else None,
            account=isinstance(error, SecretMissing) or getattr(error, "code", "") in ACCOUNT_CODES,
        )

    # The task

    def _task(self, external_id: str) -> Mapping[str, Any]:
        """A task as Runway shows it, or as it showed it less than `pace` ago."""
        now = self._clock()
        self._seen = {name: seen for name, seen in self._seen.items() if now - seen[0] < self._pace}
        if external_id in self._seen:
            return self._seen[external_id][1]
        key = self._key.read()
        try:
            task = self._http.free_json(
                self._address(external_id), operation="check", explain=self._explain(key), headers=self._headers(key)
            )
        except ProviderUnreachable as error:
            self._forget_refused_key(error.http_status)
            raise
        self._seen[external_id] = (now, task)
        return task

    def _download(self, path: Path, url: str) -> Path:
        try:
            with path.open("wb") as file:
                self._http.free_request(
                    url,
                    operation="download",
                    explain=_explain_download,
                    budget=_DOWNLOAD_SECONDS,
                    into=file,
                    limit=_LARGEST_CLIP,
                    follow=True,
                    given_by=self._base_url,
                )
        except OSError as error:
            raise self._http.unreachable(f"The clip could not be kept on the disk: {error.strerror}.") from error
        return path

    # Small things

    def _credits(self, config: Mapping[str, Any], credits: float) -> Price:
        return self._prices.price(self.name, price_model(config), credits)

    def _address(self, external_id: str) -> str:
        return f"{self._base_url}/v1/tasks/{quote(external_id, safe='')}"

    def _headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {key}", "X-Runway-Version": API_VERSION}

    def _explain(self, key: str) -> Explain:
        subject = Subject(self._key.name, key)
        return lambda status, content: explain(status, content, subject)

    def _forget_refused_key(self, status: int | None) -> None:
        if status == 401:
            self._key.forget()


def _explain_upload(status: int, content: bytes) -> Explanation:  # noqa: ARG001 - storage answers in its own XML
    return Explanation(f"The picture could not be uploaded to Runway (HTTP {status}); nothing was sent yet.")


def _explain_download(status: int, content: bytes) -> Explanation:  # noqa: ARG001 - storage answers in its own XML
    if 400 <= status < 500 and status != 429:
        return Explanation("The download address of the clip is no longer valid; a fresh one is asked for.")
    return Explanation(f"The clip could not be downloaded (HTTP {status}); it is tried again.")
