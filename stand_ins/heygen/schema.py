"""What requests must look like, after the schemas of HeyGen's official command line (2026-07-22).

Unknown fields are ignored, as HeyGen ignores them. What can't be said by types (exactly one source of speech) is said
by validators; the first problem is reported, with the field's name in `param`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, model_validator

from stand_ins.heygen.errors import ApiError

__all__ = [
    "CREATE_VIDEO",
    "Complete",
    "CreateEndpoint",
    "DirectUpload",
    "EventList",
    "FromAvatar",
    "FromImage",
    "Page",
    "Statuses",
    "UpdateEndpoint",
    "VideoList",
    "parse_body",
    "parse_query",
]

LONGEST_SCRIPT = 5000
EVENTS = (
    "avatar_video.success",
    "avatar_video.fail",
    "avatar_video_gif.success",
    "avatar_video_gif.fail",
    "video_translate.success",
    "video_translate.fail",
    "personalized_video",
    "instant_avatar.success",
    "instant_avatar.fail",
    "photo_avatar_generation.success",
    "photo_avatar_generation.fail",
    "photo_avatar_train.success",
    "photo_avatar_train.fail",
    "photo_avatar_add_motion.success",
    "photo_avatar_add_motion.fail",
    "proofread_creation.success",
    "proofread_creation.fail",
    "live_avatar.success",
    "live_avatar.fail",
    "avatar_video_caption.success",
    "avatar_video_caption.fail",
    "video_agent.success",
    "video_agent.fail",
)
Model = TypeVar("Model", bound=BaseModel)


class Background(BaseModel):
    type: Literal["color", "image"]
    value: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")] | None = None
    url: str | None = None
    asset_id: str | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.type == "color" and self.value is None:
            raise ValueError("value is required for a background of type color")
        if self.type == "image" and (self.url is None) == (self.asset_id is None):
            raise ValueError("exactly one of url and asset_id is required for a background of type image")
        return self


class Engine(BaseModel):
    type: Literal["avatar_iii", "avatar_iv", "avatar_v"]
    reference_look_id: str | None = None


class Caption(BaseModel):
    file_format: Literal["srt"] = "srt"
    style: Literal["default"] | None = None


class VoiceSettings(BaseModel):
    speed: Annotated[float, Field(ge=0.5, le=1.5)] | None = None
    pitch: Annotated[float, Field(ge=-50, le=50)] | None = None
    volume: Annotated[float, Field(ge=0, le=1)] | None = None
    locale: str | None = None
    engine_settings: dict[str, Any] | None = None


class _Spoken(BaseModel):
    """What videos of avatars and of images have in common."""

    script: Annotated[str, Field(min_length=1, max_length=LONGEST_SCRIPT)] | None = None
    voice_id: str | None = None
    audio_url: str | None = None
    audio_asset_id: str | None = None
    title: str | None = None
    resolution: Literal["4k", "1080p", "720p"] | None = None
    aspect_ratio: Literal["16:9", "9:16", "4:5", "5:4", "1:1", "auto"] | None = None
    fit: Literal["contain", "cover"] | None = None
    background: Background | None = None
    remove_background: bool | None = None
    output_format: Literal["mp4", "webm"] = "mp4"
    voice_settings: VoiceSettings | None = None
    engine: Engine | None = None
    motion_prompt: str | None = None
    expressiveness: Literal["high", "medium", "low"] | None = None
    caption: Caption | None = None
    callback_url: str | None = None
    callback_id: str | None = None
    folder_id: str | None = None
    brand_glossary_id: str | None = None

    @model_validator(mode="after")
    def _one_speech(self) -> Self:
        sources = [value for value in (self.script, self.audio_url, self.audio_asset_id) if value is not None]
        if len(sources) != 1:
            raise ValueError("exactly one of script, audio_url and audio_asset_id is required")
        if self.output_format == "webm" and self.background is not None:
            raise ValueError("background can't be combined with output_format webm")
        return self


class FromAvatar(_Spoken):
    type: Literal["avatar"]
    avatar_id: Annotated[str, Field(min_length=1)]


class ImageSource(BaseModel):
    type: Literal["url", "asset_id", "base64"]
    url: str | None = None
    asset_id: str | None = None
    media_type: str | None = None
    data: str | None = None


class FromImage(_Spoken):
    type: Literal["image"]
    image: ImageSource

    @model_validator(mode="after")
    def _voiced(self) -> Self:
        if self.script is not None and self.voice_id is None:
            raise ValueError("voice_id is required when script is given without an avatar")
        return self


CREATE_VIDEO: TypeAdapter[FromAvatar | FromImage] = TypeAdapter(
    Annotated[FromAvatar | FromImage, Field(discriminator="type")]
)


class DirectUpload(BaseModel):
    filename: Annotated[str, Field(min_length=1)]
    content_type: str
    size_bytes: Annotated[int, Field(ge=1)]
    checksum_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None


class Complete(BaseModel):
    checksum_sha256: str | None = None


Events = list[Literal[EVENTS]]  # type: ignore[valid-type]


class CreateEndpoint(BaseModel):
    url: str
    events: Events | None = None
    entity_id: str | None = None


class UpdateEndpoint(BaseModel):
    url: str | None = None
    events: Events | None = None


class Page(BaseModel):
    limit: Annotated[int, Field(ge=1, le=100)] = 10
    token: str | None = None


class VideoList(Page):
    folder_id: str | None = None
    title: str | None = None


class EventList(Page):
    event_type: str | None = None
    entity_id: str | None = None


class Statuses(BaseModel):
    video_ids: str | None = None
    batch_ids: str | None = None


def parse_query(model: type[Model], query: Mapping[str, str]) -> Model:
    """Read a query string; raise ApiError 400."""
    try:
        return model.model_validate(dict(query))
    except ValidationError as error:
        raise _refusal(error, "invalid_parameter") from None


def parse_body(adapter: TypeAdapter[Any], body: bytes) -> Any:
    """Read a JSON body; raise ApiError 400."""
    try:
        content = json.loads(body) if body else {}
        # Half of a surrogate pair is valid in JSON's escapes, but it is no text.
        json.dumps(content, ensure_ascii=False).encode()
    except ValueError:
        raise ApiError(400, "The request body is not valid JSON.") from None
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        raise _refusal(error, "validation_error") from None


def _refusal(error: ValidationError, code: str) -> ApiError:
    problem = error.errors(include_url=False, include_context=False)[0]
    steps = [str(step) for step in problem["loc"] if step not in ("avatar", "image")]
    return ApiError(400, problem["msg"], code=code, parameter=".".join(steps))
