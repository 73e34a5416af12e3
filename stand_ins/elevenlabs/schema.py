"""The requests that ElevenLabs accepts, as models; what does not fit is answered 422 before the key is looked at.

The real service checks with the same library, so the problems it lists have this very shape. Ranges that it checks
only after authentication (speed, seed, the output format of the synchronous calls) are not checked here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from stand_ins.elevenlabs.errors import ApiError, SchemaError

__all__ = [
    "FLOWS_REQUEST",
    "CreateWebhook",
    "FlowsList",
    "FlowsRequest",
    "HistoryList",
    "ListWebhooks",
    "NoQuery",
    "SpeechQuery",
    "SpeechRequest",
    "UpdateWebhook",
    "VoicesList",
    "WebhookIds",
    "parse_body",
    "parse_query",
]

Model = TypeVar("Model", bound=BaseModel)
Share = Annotated[float, Field(ge=0, le=1)]
Pace = Annotated[float, Field(ge=0.7, le=1.2)]
Mp3Format = Literal[
    "mp3_22050_32",
    "mp3_24000_48",
    "mp3_44100_32",
    "mp3_44100_64",
    "mp3_44100_96",
    "mp3_44100_128",
    "mp3_44100_192",
]


class VoiceSettings(BaseModel):
    """Settings of the synchronous calls."""

    stability: Share | None = None
    similarity_boost: Share | None = None
    style: float | None = None
    use_speaker_boost: bool | None = None
    speed: float | None = None
    clone_strength: Share | None = None


class DictionaryLocator(BaseModel):
    pronunciation_dictionary_id: str
    version_id: str | None = None


class SpeechRequest(BaseModel):
    """The body of the synchronous calls; unknown fields are ignored."""

    model_config = ConfigDict(protected_namespaces=())

    text: str
    model_id: str = "eleven_multilingual_v2"
    language_code: str | None = None
    voice_settings: VoiceSettings | None = None
    pronunciation_dictionary_locators: Annotated[list[DictionaryLocator], Field(max_length=3)] | None = None
    seed: int | None = None
    previous_text: str | None = None
    next_text: str | None = None
    previous_request_ids: Annotated[list[str], Field(max_length=3)] | None = None
    next_request_ids: Annotated[list[str], Field(max_length=3)] | None = None
    apply_text_normalization: Literal["auto", "on", "off"] = "auto"
    apply_language_text_normalization: bool = False
    use_pvc_as_ivc: bool = False


class SpeechQuery(BaseModel):
    output_format: str = "mp3_44100_128"
    enable_logging: bool = True
    optimize_streaming_latency: Annotated[int, Field(ge=0, le=4)] | None = None


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class WebhookAll(_Strict):
    type: Literal["all"]


class WebhookIds(_Strict):
    type: Literal["ids"]
    ids: list[str]


class FlashSettings(_Strict):
    stability: Share | None = None
    similarity_boost: Share | None = None
    speed: Pace | None = None


class MultilingualSettings(FlashSettings):
    style: Share | None = None
    use_speaker_boost: bool | None = None


class V3Settings(_Strict):
    stability: Share | None = None


class _FlowsBase(_Strict):
    text: Annotated[str, Field(min_length=1)]
    voice: str
    output_format: Mp3Format = "mp3_44100_128"
    pronunciation_dictionary_locators: Annotated[list[DictionaryLocator], Field(max_length=3)] | None = None
    webhook: Annotated[WebhookAll | WebhookIds, Field(discriminator="type")] | None = None


class FlashRequest(_FlowsBase):
    model_id: Literal["eleven_flash_v2_5"]
    language_code: str | None = None
    voice_settings: FlashSettings | None = None


class MultilingualRequest(_FlowsBase):
    model_id: Literal["eleven_multilingual_v2"]
    voice_settings: MultilingualSettings | None = None


class V3Request(_FlowsBase):
    model_id: Literal["eleven_v3"]
    language_code: str | None = None
    voice_settings: V3Settings | None = None


FlowsRequest = FlashRequest | MultilingualRequest | V3Request
FLOWS_REQUEST: TypeAdapter[FlowsRequest] = TypeAdapter(Annotated[FlowsRequest, Field(discriminator="model_id")])


class WebhookSettings(BaseModel):
    auth_type: Literal["hmac"]
    name: str
    webhook_url: str
    request_headers: dict[str, str | None] | None = None


class CreateWebhook(BaseModel):
    settings: WebhookSettings


class UpdateWebhook(BaseModel):
    is_disabled: bool
    name: str
    retry_enabled: bool | None = None
    request_headers: dict[str, str | None] | None = None
    events: list[Literal["voice_library_removal_notice", "speech_to_text", "agent_qa", "flows"]] | None = None


class ListWebhooks(BaseModel):
    include_usages: bool | None = None


class FlowsList(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    cursor: str | None = None
    page_size: Annotated[int, Field(ge=1, le=100)] = 20
    status: Literal["pending", "generating", "completed", "failed"] | None = None
    model_id: str | None = None


class HistoryList(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    page_size: Annotated[int, Field(ge=1, le=1000)] = 100
    start_after_history_item_id: str | None = None
    voice_id: str | None = None
    model_id: str | None = None
    date_after_unix: int | None = None
    date_before_unix: int | None = None
    sort_direction: Literal["asc", "desc"] = "desc"
    search: str | None = None
    source: Literal["TTS", "STS", "Flows"] | None = None


class VoicesList(BaseModel):
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    next_page_token: Annotated[int, Field(ge=0)] | None = None
    search: str | None = None
    category: str | None = None
    voice_ids: str | None = None


class NoQuery(BaseModel):
    """A call without parameters."""


def parse_query(model: type[Model], query: Mapping[str, str]) -> Model:
    """Read a query string; raise SchemaError."""
    try:
        return model.model_validate(dict(query))
    except ValidationError as error:
        raise _schema_error(error, "query") from None


def parse_body(adapter: TypeAdapter[Any], body: bytes) -> Any:
    """Read a JSON body; raise SchemaError, or ApiError where it is no JSON at all."""
    if not body:
        raise SchemaError([{"type": "missing", "loc": ["body"], "msg": "Field required", "input": None}])
    try:
        content = json.loads(body)
        # Half of a surrogate pair is valid in JSON's escapes, but it is no text: it can't be spoken, stored or hashed.
        json.dumps(content, ensure_ascii=False).encode()
    except ValueError:
        raise ApiError(400, "malformed_json", "The request body is not valid JSON.") from None
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        raise _schema_error(error, "body") from None


def _schema_error(error: ValidationError, place: str) -> SchemaError:
    problems = error.errors(include_url=False, include_context=False)
    return SchemaError([{**problem, "loc": [place, *problem["loc"]]} for problem in problems])
