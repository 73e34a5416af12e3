"""Bodies of `predictLongRunning` and `fetchPredictOperation`, checked as far as Vertex AI checks them."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from stand_ins.veo3.errors import ApiError

__all__ = ["FetchOperation", "Instance", "Parameters", "PredictLongRunning", "parse_body"]

LARGEST_IMAGE = 20 << 20


def _gcs_uri(text: str) -> str:
    if not re.fullmatch(r"gs://[a-z0-9][a-z0-9._-]+(/.*)?", text):
        raise ValueError("is not a Cloud Storage URI")
    return text


class _Model(BaseModel):
    """Unknown fields are left alone, as Vertex AI leaves them."""

    model_config = ConfigDict(extra="ignore")


class Media(_Model):
    """A picture or a film, in the request or in a bucket."""

    bytesBase64Encoded: str | None = None  # noqa: N815 (Google's spelling)
    gcsUri: Annotated[str, AfterValidator(_gcs_uri)] | None = None  # noqa: N815
    mimeType: str | None = None  # noqa: N815

    @property
    def content(self) -> bytes | None:
        """The bytes in the request. Raises ApiError for what can't be a first frame."""
        if self.bytesBase64Encoded is None:
            return None
        try:
            content = base64.b64decode(self.bytesBase64Encoded, validate=True)
        except (binascii.Error, ValueError):
            raise ApiError(400, "Invalid value at 'instances[0].image.bytesBase64Encoded' (TYPE_BYTES).") from None
        if len(content) > LARGEST_IMAGE:
            raise ApiError(400, f"The image is too large: {len(content)} bytes, at most {LARGEST_IMAGE} are supported.")
        if self.mimeType not in ("image/png", "image/jpeg"):
            raise ApiError(400, f"Unsupported MIME type: {self.mimeType}. Supported: image/png, image/jpeg.")
        return content


class Instance(_Model):
    """What shall be seen."""

    prompt: str = ""
    image: Media | None = None


class Parameters(_Model):
    """How it shall be made."""

    sampleCount: int = Field(default=1, ge=1, le=4)  # noqa: N815
    durationSeconds: Literal[4, 6, 8] = 8  # noqa: N815
    aspectRatio: Literal["16:9", "9:16"] = "16:9"  # noqa: N815
    resolution: Literal["720p", "1080p"] = "720p"
    generateAudio: bool = True  # noqa: N815
    negativePrompt: str | None = None  # noqa: N815
    seed: int | None = Field(default=None, ge=0, le=2**32 - 1)
    personGeneration: Literal["dont_allow", "allow_adult", "allow_all"] = "allow_adult"  # noqa: N815
    resizeMode: Literal["pad", "crop", "PAD", "CROP"] | None = None  # noqa: N815 (the reference and the SDK differ)
    storageUri: Annotated[str, AfterValidator(_gcs_uri)] | None = None  # noqa: N815


class PredictLongRunning(_Model):
    """The body of the paid request."""

    instances: list[Instance] = Field(min_length=1, max_length=1)
    parameters: Parameters = Parameters()
    labels: dict[str, Annotated[str, Field(pattern=r"^[a-z0-9_-]{0,63}$")]] = {}


class FetchOperation(_Model):
    """The body of a check."""

    operationName: str  # noqa: N815


Body = TypeVar("Body", bound=BaseModel)


def parse_body(kind: type[Body], content: bytes) -> Body:
    """Read a body; raise ApiError 400 that names the first field at fault."""
    try:
        data: Any = json.loads(content)
    except ValueError:
        raise ApiError(400, "Invalid JSON payload received. Unexpected end of string.") from None
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise ApiError(400, f"Invalid value at '{place}': {first['msg']}") from None
