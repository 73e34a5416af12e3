"""The Veo module behind the one provider interface: Veo 3.1 on Vertex AI.

A film is an *operation*: `predictLongRunning` names it, `fetchPredictOperation` tells when it is done, and the film
lies in a bucket of Google Cloud Storage, below a prefix of its attempt. So a film whose answer was lost is found there.
Facts: the official SDK google-genai 3.4.0 and Google's reference of Veo 3.1.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from typing import Any

from video_production.errors import (
    OperatorError,
    ProviderJobFailed,
    ProviderRefused,
    ProviderUnreachable,
    TransientError,
    VideoProductionError,
)
from video_production.metrics import Report, unreported
from video_production.providers.http import Explain, ProviderHttp
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
from video_production.providers.prices import PriceList, price_of
from video_production.providers.veo3.access import GoogleAccess, GoogleCredentials
from video_production.providers.veo3.bucket import STORAGE_URL, Bucket, Film, film_at
from video_production.providers.veo3.operations import FILM, model_of, progress_of
from video_production.providers.veo3.refusals import Subject, explain
from video_production.providers.veo3.requests import (
    LARGEST_IMAGE,
    FirstFrame,
    check_size,
    effective_config,
    first_frame,
    image_of,
    prompt_of,
    submit_body,
)
from video_production.providers.workplace import workplace
from video_production.settings import FunctionSettings
from video_production.storage import Storage

__all__ = ["Veo"]

LABEL = "Vertex AI"
DEFAULT_LOCATION = "us-central1"
_MULTI_REGIONS = ("eu", "us")
_WAY = "operation"
_HICCUP_SECONDS = 10.0
_LEAST_SECONDS = 20.0
"""A request is not begun with less, or with less than half of its time: cut off it would have to be looked for."""
_NO_PROJECT = "No Google Cloud project is named; set VEO3_PROJECT, or use credentials that name one."
_NO_BUCKET = "No bucket of Google Cloud Storage is named for Veo's films; set VEO3_BUCKET."


class Veo(OneRequest):
    """Buys films from Veo 3.1 on Vertex AI. `submit_budget` is the total time of one paid request in seconds.

    `model` is what documents get that name none; `bucket` is where Vertex AI writes; `project` may be left to the
    credentials. `base_url` replaces Google's addresses, for a stand-in.
    """

    name = "veo3"
    title = "veo3 (Veo 3.1)"
    adapter_version = 1

    def __init__(
        self,
        access: GoogleAccess,
        storage: Storage,
        *,
        project: str = "",
        location: str = "",
        bucket: str = "",
        model: str = "",
        base_url: str = "",
        submit_budget: float = 120.0,
        http: ProviderHttp | None = None,
        price_list: PriceList | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._storage = storage
        self._project = project
        self._location = location or DEFAULT_LOCATION
        self._bucket = bucket
        self._model = model
        self._base_url = base_url.rstrip("/")
        self._submit_budget = submit_budget
        self._http = http or ProviderHttp(self.name, LABEL, retry_delay=_quota_delay)
        self._price_list = price_list
        self._clock = clock
        storage_url = self._base_url or STORAGE_URL
        self._objects = Bucket(self._http, self._authorization, access.forget, base_url=storage_url)

    @classmethod
    def from_settings(cls, settings: FunctionSettings, storage: Storage, *, report: Report = unreported) -> Veo:
        """The module as a function's environment wants it: live or a stand-in, by nothing but the address."""
        provider = settings.provider(cls.name)
        options = provider.options
        ca_bundle = settings.variables.get("REQUESTS_CA_BUNDLE")
        token_url = f"{provider.base_url.rstrip('/')}/token" if provider.base_url else ""
        return cls(
            GoogleAccess(GoogleCredentials(provider.secret), token_url=token_url, ca_bundle=ca_bundle),
            storage,
            project=options.get("project", ""),
            location=options.get("location", ""),
            bucket=options.get("bucket", ""),
            model=options.get("model", ""),
            base_url=provider.base_url,
            submit_budget=provider.submit_budget,
            http=ProviderHttp(cls.name, LABEL, ca_bundle=ca_bundle, retry_delay=_quota_delay, report=report),
            price_list=PriceList.of(settings.prices),
        )

    def effective_config(self, node_type: str, config: Mapping[str, Any]) -> dict[str, Any]:
        return effective_config(node_type, config, model=self._model)

    def way(self, request: GenerationRequest, refused_ways: tuple[str, ...] = ()) -> str:  # noqa: ARG002 (there is one)
        """There is one; a request without a prompt is refused here, before anything is written down."""
        prompt_of(request)
        return _WAY

    def price(self, request: GenerationRequest) -> Price:
        """Seconds, and their list price for the model and the resolution."""
        config = request.config
        return price_of(self.name, f"{config['model']}/{config['resolution']}", config["duration"], self._price_list)

    def cancel(self, external_id: str) -> bool:  # noqa: ARG002 (Vertex AI stops nothing that it has accepted)
        return False

    def submit(self, attempt: Attempt) -> Submission:
        """Send the one paid request; its answer names the operation."""
        deadline = self._clock() + self._submit_budget
        config = attempt.request.config
        try:
            model = f"projects/{self._named_project()}/locations/{self._location}/publishers/google/models"
            url = f"{self._address(self._location)}/v1/{model}/{config['model']}:predictLongRunning"
            body = self._body(attempt)
            token = self._access.token()
        except VideoProductionError as error:
            # Whatever fails here failed before the request: nothing was sent.
            raise ProviderRefused(
                str(error),
                provider=self.name,
                code="not_sent",
                retry_after=_HICCUP_SECONDS if isinstance(error, TransientError) else None,
                account=isinstance(error, OperatorError),
            ) from error
        left = deadline - self._clock()
        if left < min(_LEAST_SECONDS, self._submit_budget / 2):
            late = f"Getting ready took so long that nothing was sent to {LABEL}; it is tried again."
            raise ProviderRefused(late, provider=self.name, code="not_sent", retry_after=_HICCUP_SECONDS)
        try:
            answer = self._http.paid_request(
                url,
                body,
                headers={"Authorization": f"Bearer {token}"},
                budget=left,
                explain=self._explain(config["model"], token),
            )
        except ProviderRefused as refusal:
            if refusal.http_status == 401:
                self._access.forget()
            raise
        try:
            operation = json.loads(answer.content)["name"]
        except (ValueError, KeyError, TypeError):
            operation = None
        if not isinstance(operation, str) or model_of(operation) is None:
            raise self._http.ambiguous("it accepted the request without naming an operation", http_status=answer.status)
        return Submission(operation)

    def check(self, external_id: str) -> Progress:
        """Ask how an operation stands. The address of a film, which a person may have adopted, is done already.

        Raises ProviderUnreachable; ProviderJobFailed with HTTP status 404 for what is no operation's name. An operation
        that Vertex AI no longer knows counts as completed: its film is looked for in the bucket.
        """
        if film_at(external_id):
            return Progress("completed", "in the bucket", result={FILM: external_id})
        named = model_of(external_id)
        if named is None:
            message = f"'{external_id}' is neither an operation of Vertex AI nor the address of a film (gs://…)."
            raise ProviderJobFailed(message, provider=self.name, code="NOT_FOUND", http_status=404)
        model, location = named
        token = self._access.token()
        try:
            operation = self._http.free_json(
                f"{self._address(location)}/v1/{model}:fetchPredictOperation",
                method="POST",
                operation="check",
                body={"operationName": external_id},
                headers={"Authorization": f"Bearer {token}"},
                explain=self._explain(model.rpartition("/")[2], token),
                limit=1 << 20,
            )
        except ProviderUnreachable as error:
            if error.http_status == 404:
                return Progress("completed", "no longer known", result={FILM: ""})
            if error.http_status == 401:
                self._access.forget()
            raise
        return progress_of(operation, self._subject())

    def collect(self, external_id: str, progress: Progress, attempt: Attempt) -> Made:
        """Fetch a film from the bucket, check it, store it.

        Raises ProviderUnreachable; ProviderJobFailed where the operation is over and the bucket holds no film of it.
        """
        film = film_at(progress.result.get(FILM, ""))
        if film is None:
            films = self._films(attempt)
            if not films:
                message = f"Vertex AI calls the operation {progress.word}, and the bucket holds no film of it."
                raise ProviderJobFailed(message, provider=self.name, code="NOT_FOUND", http_status=404)
            film = films[0]
        return self._stored(film, attempt, external_id)

    def find(self, attempt: Attempt, bound: Container[str]) -> Submission | Made | Unknown:  # noqa: ARG002 (own prefix)
        """Look for a film below the attempt's own prefix. Raises ProviderUnreachable; what Storage raises."""
        films = self._films(attempt)
        where = f"gs://{self._bucket}/{attempt.destination.prefix}"
        if not films:
            return Unknown(f"{where} holds no film, which does not prove that none was made")
        if len(films) > 1:
            return Unknown(f"{where} holds {len(films)} films where one was asked for")
        return self._stored(films[0], attempt, None)

    def _body(self, attempt: Attempt) -> dict[str, Any]:
        if not self._bucket:
            raise OperatorError(_NO_BUCKET)
        request = attempt.request
        return submit_body(
            request.config,
            prompt_of(request),
            storage_uri=f"gs://{self._bucket}/{attempt.destination.prefix}",
            attempt=attempt.id,
            image=self._first_frame(request),
        )

    def _first_frame(self, request: GenerationRequest) -> FirstFrame | None:
        image = image_of(request)
        if image is None:
            return None
        name = image.s3_key.rpartition("/")[2]
        stored = self._storage.head(image.bucket, image.s3_key)
        check_size(stored.size if stored else 0, name)
        return first_frame(self._storage.read(image.bucket, image.s3_key, LARGEST_IMAGE), name)

    def _films(self, attempt: Attempt) -> list[Film]:
        if not self._bucket:
            raise OperatorError(_NO_BUCKET)
        return self._objects.films(self._bucket, attempt.destination.prefix)

    def _stored(self, film: Film, attempt: Attempt, external_id: str | None) -> Made:
        from video_production.providers.clips import deliver_clip, read_clip

        with workplace(self.name) as folder:
            path = folder / "film.mp4"
            try:
                self._objects.download(film, path)
                clip = read_clip(path)
            except ValueError as error:
                reason = str(error).rstrip(".")
                raise self._http.unreachable(f"Vertex AI delivered a film that is not whole: {reason}.") from error
            except OSError as error:
                raise self._http.unreachable(f"The film could not be kept on the disk: {error.strerror}.") from error
            made = deliver_clip(self._storage, attempt.destination, clip, external_id)
        return replace(made, cost=self.price(attempt.request))

    def _address(self, location: str) -> str:
        if self._base_url:
            return self._base_url
        if location == "global":
            return "https://aiplatform.googleapis.com"
        if location in _MULTI_REGIONS:
            return f"https://aiplatform.{location}.rep.googleapis.com"
        return f"https://{location}-aiplatform.googleapis.com"

    def _named_project(self) -> str:
        project = self._project or self._access.project
        if not project:
            raise OperatorError(_NO_PROJECT)
        return project

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._access.token()}"}

    def _subject(self, model: str = "", token: str = "") -> Subject:
        project = self._project or self._access.project
        return Subject(self._access.secret.name, project, self._location, self._bucket, model, token)

    def _explain(self, model: str, token: str) -> Explain:
        subject = self._subject(model, token)
        return lambda status, content: explain(status, content, subject)


def _quota_delay() -> float:
    """Google counts requests per minute: sooner than that a quota does not fill again."""
    return random.uniform(20.0, 70.0)
