"""The bodies that Runway takes, model by model. Source: the official SDK 5.24.0.

Of Runway's models this stand-in makes three; another one is refused as one that does not exist.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from stand_ins.runway.errors import ApiError

__all__ = [
    "CREDITS_PER_SECOND",
    "IMAGE_TO_VIDEO",
    "MODELS",
    "TEXT_TO_VIDEO",
    "CreateRouter",
    "CreateUpload",
    "GenerateVideo",
    "Usage",
    "parse",
]

MODELS = ("gen4.5", "veo3.1", "veo3.1_fast")
CREDITS_PER_SECOND = {
    ("gen4.5", False): 12,
    ("veo3.1", False): 20,
    ("veo3.1", True): 40,
    ("veo3.1_fast", False): 10,
    ("veo3.1_fast", True): 15,
}
"""By model and whether there is sound. Source: Runway's published skill file of 2026-04-21."""


def _within_1000_units(text: str) -> str:
    if len(text.encode("utf-16-le", "surrogatepass")) // 2 > 1000:
        raise ValueError("String must contain at most 1000 character(s)")
    return text


_Prompt = Annotated[str, Field(min_length=1), AfterValidator(_within_1000_units)]
_Seed = Annotated[int, Field(ge=0, le=4_294_967_295)] | None


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, alias_generator=to_camel)


class _Moderation(_Body):
    public_figure_threshold: Literal["auto", "low"] = "auto"


class _First(_Body):
    uri: str
    position: Literal["first"]


class _FirstOrLast(_Body):
    uri: str
    position: Literal["first", "last"]


class _Gen45(_Body):
    model: Literal["gen4.5"]
    prompt_text: _Prompt
    duration: Annotated[int, Field(ge=2, le=10)]
    seed: _Seed = None
    content_moderation: _Moderation | None = None
    output_format: Literal["mp4"] = "mp4"

    @property
    def sound(self) -> bool:
        return False


class _Gen45Text(_Gen45):
    ratio: Literal["1280:720", "720:1280"]


class _Gen45Image(_Gen45):
    ratio: Literal["1280:720", "720:1280", "1104:832", "960:960", "832:1104", "1584:672"]
    prompt_image: str | list[_First]


class _Veo(_Body):
    model: Literal["veo3.1", "veo3.1_fast"]
    ratio: Literal["1280:720", "720:1280", "1080:1920", "1920:1080"]
    duration: Literal[4, 6, 8] = 8
    audio: bool = True
    negative_prompt: _Prompt | None = None
    seed: _Seed = None

    @property
    def sound(self) -> bool:
        return self.audio


class _VeoText(_Veo):
    prompt_text: _Prompt


class _VeoImage(_Veo):
    prompt_text: _Prompt = ""
    prompt_image: str | list[_FirstOrLast]


TEXT_TO_VIDEO: TypeAdapter[Any] = TypeAdapter(Annotated[_Gen45Text | _VeoText, Field(discriminator="model")])
IMAGE_TO_VIDEO: TypeAdapter[Any] = TypeAdapter(Annotated[_Gen45Image | _VeoImage, Field(discriminator="model")])


class CreateUpload(_Body):
    """`POST /v1/uploads`."""

    filename: str = Field(min_length=1)
    type: Literal["ephemeral"]


class Usage(_Body):
    """`POST /v1/organization/usage`; dates as YYYY-MM-DD in UTC, the second one not included."""

    start_date: str | None = None
    before_date: str | None = None


class _RouterModels(_Body):
    ids: list[Literal["gen4.5", "veo3.1", "veo3.1_fast"]]
    mode: Literal["allow_new_except", "allowlist_only"]


class _RouterSettings(_Body):
    models: _RouterModels | None = None
    optimize_for: Literal["cost", "latency", "quality"] = "cost"
    schema_version: Literal[1] = 1


class CreateRouter(_Body):
    """`POST /v1/routers`."""

    slug: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    name: str | None = None
    description: str | None = None
    settings: _RouterSettings = _RouterSettings()


class _RouterInput(_Body):
    prompt_text: _Prompt
    aspect_ratio: Literal["16:9", "9:16"] = "16:9"
    duration: int = 5
    audio: bool | None = None
    resolution: Literal["720p", "1080p"] = "720p"
    seed: _Seed = None


class GenerateVideo(_Body):
    """`POST /v1/generate/video`: a router chooses the model."""

    config_id: str
    input: _RouterInput


def parse(shape: TypeAdapter[Any], body: bytes) -> Any:
    """Read a body. Raises ApiError with every field that does not fit."""
    try:
        return shape.validate_json(body or b"{}")
    except ValidationError as error:
        issues = [_issue(problem) for problem in error.errors(include_url=False, include_input=False)]
    raise ApiError(400, "Validation of body failed", json.loads(json.dumps(issues, default=str)))


def _issue(problem: Any) -> dict[str, Any]:
    # The name of a union's branch is no field of the body.
    path = [step for step in problem["loc"] if step not in MODELS]
    return {"code": problem["type"], "path": path, "message": problem["msg"].removeprefix("Value error, ")}
