"""Every node type: its inputs, its settings, what it makes, and who can make it.

These models are the only place where a type is described: validation, the JSON Schema and the reference page derive
from them. Keys are camelCase in documents and snake_case here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from video_production.nodes.model import MediaType
from video_production.pipelines import provider_limits as limits
from video_production.pipelines.fields import OneNode, Roll, Several, Strict, accepts, sentence
from video_production.pipelines.node_base import Asset, Config, Inputs, NoConfig, NodeModel, NoInputs

__all__ = [
    "NODE_TYPES",
    "Asset",
    "AssetNode",
    "Config",
    "NodeModel",
    "NodeType",
    "PronunciationDictionary",
    "RunwayConfig",
    "Slot",
    "VeoConfig",
    "VoiceoverConfig",
]


class AssetNode(NodeModel):
    """Something that exists already: a script, a picture, a clip, a sound."""

    makes = None
    makeable = ("",)

    type: Literal["asset"]
    asset: Asset = Field(description="What the asset is and where.")
    inputs: NoInputs = Field(default=NoInputs(), description="Always empty.")
    config: NoConfig = Field(default=NoConfig(), description="Always empty.")


# --- generated nodes: paid, so nothing that shapes the bill has a default -------------------------------------------


class VoiceoverInputs(Inputs):
    """What is spoken."""

    script: OneNode = accepts("text", description="The text to speak.")


def _not_retired(model: Any) -> Any:
    if isinstance(model, str) and model in limits.RETIRED_VOICE_MODELS:
        raise sentence(
            f"ElevenLabs removed {model} on {limits.RETIRED_VOICE_MODELS[model]}. Use 'eleven_multilingual_v2'."
        )
    return model


class PronunciationDictionary(Strict):
    """One dictionary of the ElevenLabs account, in one of its versions."""

    id: str = Field(min_length=1, max_length=100, description="The dictionary: the id that ElevenLabs shows for it.")
    version: str = Field(
        min_length=1,
        max_length=100,
        description="The version's id. Never the newest by itself, so that nothing is spoken differently unasked.",
    )


class VoiceoverConfig(Config):
    """How it is spoken. What is left out and has no default here is the voice's own setting at ElevenLabs."""

    provider: Literal["elevenlabs"] = Field(description="Who makes it.")
    voice_id: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,100}$",
        description="The voice: the id that ElevenLabs shows for it. Never chosen for you.",
    )
    model_id: Annotated[limits.VoiceModelId, BeforeValidator(_not_retired)] = Field(
        description="The speech model; it decides price and quality. Never chosen for you."
    )
    stability: float | None = Field(default=None, ge=0, le=1, description="Low is lively, high is even.")
    similarity_boost: float | None = Field(default=None, ge=0, le=1, description="How closely to keep to the voice.")
    speed: float | None = Field(default=None, ge=0.7, le=1.2, description="1 is the voice's own speed.")
    language: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2}$",
        description="Two letters (ISO 639-1) such as `en`. Found by the model when left out.",
    )
    output_format: limits.OutputFormat = Field(
        default="mp3_44100_128",
        description="Codec, sampling rate and bit rate. `mp3_44100_192`, `wav_44100`, `pcm_44100` need larger plans.",
    )
    captions: bool = Field(default=False, description="Also make captions (`.srt`, `.vtt`) with the words' times.")
    pronunciation_dictionaries: list[PronunciationDictionary] | None = Field(
        default=None,
        min_length=1,
        max_length=limits.PRONUNCIATION_DICTIONARIES,
        description="How names and terms are spoken: up to three dictionaries, each with `id` and `version`, in order.",
    )
    take: Roll = None

    def problems(self) -> Iterator[tuple[str, str]]:
        model = limits.VOICE_MODELS[self.model_id]
        if self.language is not None and model.language == "refused":
            yield (
                "language",
                f"{self.model_id} finds the language itself. Remove 'language' or choose another modelId.",
            )
        if self.language not in (None, "en") and model.language == "english":
            yield "language", f"{self.model_id} speaks only English. Choose another modelId for '{self.language}'."
        if self.speed is not None and not model.speed:
            yield "speed", f"{self.model_id} has no 'speed' setting. Remove it or choose another modelId."


class VoiceoverNode(NodeModel):
    """A script spoken by an ElevenLabs voice."""

    makes = "audio"
    makeable = ("elevenlabs",)

    type: Literal["generate-voiceover"]
    inputs: VoiceoverInputs = Field(description="Which nodes it is made from.")
    config: VoiceoverConfig = Field(description="How it is made.")


class TalkingHeadInputs(Inputs):
    """What is spoken, and in front of what."""

    audio: OneNode = accepts("audio", description="The speech; at most 10 minutes.")
    background: OneNode | None = accepts("image", optional=True, description="A picture behind the person.")


class TalkingHeadConfig(Config):
    """Who speaks, and how large the picture is."""

    provider: Literal["heygen"] = Field(description="Who makes it.")
    avatar_id: str = Field(min_length=1, description="The HeyGen avatar look. Never chosen for you.")
    width: int | None = Field(
        default=None, ge=1, description="Pixels; goes together with `height`. 1280 × 720 when both are left out."
    )
    height: int | None = Field(default=None, ge=1, description="Pixels; goes together with `width`.")
    engine: limits.TalkingHeadEngine | None = Field(
        default=None,
        description="What renders the avatar, at a price per second; the look must support it. The environment's own "
        "(`HEYGEN_ENGINE`) when left out.",
    )
    take: Roll = None

    def problems(self) -> Iterator[tuple[str, str]]:
        if (self.width is None) != (self.height is None):
            missing, given = ("width", "height") if self.width is None else ("height", "width")
            yield missing, f"'{given}' is set, so '{missing}' must be set too."
        if self.width is None or self.height is None:
            return
        ratios = limits.TALKING_HEAD_RATIOS
        fits = any(self.width * y == self.height * x for x, y in ratios)
        if not fits or min(self.width, self.height) not in limits.TALKING_HEAD_SIDES:
            yield (
                "width",
                f"{self.width}×{self.height} is no size that HeyGen makes. The shorter side is 720, 1080 or 2160, "
                f"the shape {', '.join(ratios.values())}.",
            )


class TalkingHeadNode(NodeModel):
    """A HeyGen avatar that speaks a voiceover."""

    makeable = ("heygen",)

    type: Literal["generate-talking-head"]
    inputs: TalkingHeadInputs = Field(description="Which nodes it is made from.")
    config: TalkingHeadConfig = Field(description="How it is made.")


class AnimationInputs(Inputs):
    """What is shown."""

    prompt: OneNode = accepts("text", description="What happens in the clip, in words.")
    reference_image: OneNode | None = accepts("image", optional=True, description="A picture to start from.")


class VeoConfig(Config):
    """An animation by Veo 3.1."""

    provider: Literal["veo3"] = Field(description="Who makes it: veo3 (Veo 3.1).")
    duration: Literal[4, 6, 8] = Field(description="Seconds; billed by the second, so it is never chosen for you.")
    aspect_ratio: Literal["16:9", "9:16"] = Field(default="16:9", description="Landscape or portrait.")
    model: limits.VeoModelId | None = Field(
        default=None, description="It decides price and quality. The environment's own (`VEO3_MODEL`) when left out."
    )
    resolution: Literal["720p", "1080p"] = Field(default="720p", description="The shorter side in pixels.")
    seed: int | None = Field(default=None, ge=0, le=2**32 - 1, description="The same one makes much the same clip.")
    negative_prompt: str | None = Field(default=None, min_length=1, description="What shall not be seen.")
    take: Roll = None

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.resolution == "1080p" and self.model == "veo-3.1-lite-generate-001":
            yield "resolution", f"{self.model} makes nothing but 720p. Remove 'resolution' or choose another model."


class RunwayConfig(Config):
    """An animation by Runway: by its Gen-4.5, or by Veo 3.1 that Runway runs."""

    provider: Literal["runway"] = Field(description="Who makes it: Runway.")
    model: limits.RunwayModelId | None = Field(
        default=None, description="It decides price and quality. The environment's own (`RUNWAY_MODEL`) when left out."
    )
    duration: int = Field(
        ge=2,
        le=10,
        description="Seconds; billed by the second, so it is never chosen for you. 4, 6 or 8 with a `veo3.1` model.",
    )
    aspect_ratio: Literal["16:9", "9:16"] = Field(default="16:9", description="Landscape or portrait.")
    resolution: Literal["720p", "1080p"] = Field(
        default="720p", description="The shorter side in pixels; `1080p` needs a `veo3.1` model."
    )
    audio: bool = Field(default=False, description="Make sound, too, at a higher price; needs a `veo3.1` model.")
    seed: int | None = Field(
        default=None, ge=0, le=4_294_967_295, description="The same seed makes a similar clip. Drawn when left out."
    )
    take: Roll = None

    def problems(self) -> Iterator[tuple[str, str]]:
        if self.model is None:
            return  # what the environment's model makes is asked where its settings are known
        model = limits.RUNWAY_MODELS[self.model]
        if self.duration not in model.durations:
            lengths = " or ".join(", ".join(map(str, model.durations)).rsplit(", ", 1))
            yield "duration", f"{self.model} makes clips of {lengths} seconds, not {self.duration}."
        if self.resolution not in model.resolutions:
            yield "resolution", f"{self.model} makes no {self.resolution}. Remove 'resolution' or use model 'veo3.1'."
        if self.audio and not model.sound:
            yield "audio", f"{self.model} makes no sound. Remove 'audio' or use model 'veo3.1'."


class AnimationNode(NodeModel):
    """A short clip made from a description."""

    makeable = ("veo3", "runway")

    type: Literal["generate-animation"]
    inputs: AnimationInputs = Field(description="Which nodes it is made from.")
    config: VeoConfig | RunwayConfig = Field(discriminator="provider", description="How it is made.")


# --- FFmpeg and rendering -------------------------------------------------------------------------------------------


class RenderCodeInputs(Inputs):
    """What is rendered."""

    config: OneNode = accepts("json", description="What to render, as the renderer understands it.")


class RenderCodeConfig(Config):
    """How it is rendered."""

    provider: str = Field(min_length=1, description="The renderer.")


class RenderCodeNode(NodeModel):
    """A clip rendered from code."""

    type: Literal["render-code"]
    inputs: RenderCodeInputs = Field(description="Which nodes it is made from.")
    config: RenderCodeConfig = Field(description="How it is made.")


class MixAudioInputs(Inputs):
    """A picture and its sound."""

    video: OneNode = accepts("video", "image", description="A clip, or a still that is held while the sound lasts.")
    audio: OneNode = accepts("audio", description="The sound to add.")


class MixAudioConfig(Config):
    """How the sound is added."""

    provider: Literal["ffmpeg"] = Field(default="ffmpeg", description="Who makes it.")
    mode: Literal["replace", "overlay"] = Field(
        default="replace", description="`replace` drops the clip's own sound, `overlay` keeps it underneath."
    )
    volume: float = Field(
        default=1.0, ge=0, le=10, description="Gain of the added sound: 1 leaves it as it is, 0.5 halves it."
    )


class MixAudioNode(NodeModel):
    """Sound laid on a clip or on a still. It lasts as long as the longer of the two; nothing is cut."""

    makeable = ("ffmpeg",)

    type: Literal["mix-audio"]
    inputs: MixAudioInputs = Field(description="Which nodes it is made from.")
    config: MixAudioConfig = Field(default=MixAudioConfig(), description="How it is made.")


class MergeVideosInputs(Inputs):
    """The clips to join."""

    segments: Several = accepts("video", minimum=2, description="The clips in the order in which they are seen.")


class MergeVideosConfig(Config):
    """How the clips are joined; the cheapest safe way is found by looking at them."""

    provider: Literal["ffmpeg"] = Field(default="ffmpeg", description="Who makes it.")


class MergeVideosNode(NodeModel):
    """Clips joined one after the other."""

    makeable = ("ffmpeg",)

    type: Literal["merge-videos"]
    inputs: MergeVideosInputs = Field(description="Which nodes it is made from.")
    config: MergeVideosConfig = Field(default=MergeVideosConfig(), description="How it is made.")


class ComposeVideoInputs(Inputs):
    """Two pictures, one on the other."""

    background: OneNode = accepts("video", "image", description="What fills the frame.")
    overlay: OneNode = accepts("video", "image", description="What lies on it.")


class ComposeVideoConfig(Config):
    """What of the overlay is shown, how large, and where. Cropping is in pixels of the overlay."""

    provider: Literal["ffmpeg"] = Field(default="ffmpeg", description="Who makes it.")
    rounded: bool = Field(default=False, description="Round the overlay's corners.")
    crop_top: int | None = Field(default=None, ge=0, description="Pixels cut away above.")
    crop_left: int | None = Field(default=None, ge=0, description="Pixels cut away on the left.")
    crop_width: int | None = Field(
        default=None, ge=2, description="Width that is kept; goes together with `cropHeight`."
    )
    crop_height: int | None = Field(
        default=None, ge=2, description="Height that is kept; goes together with `cropWidth`."
    )
    position: Literal["top-left", "top-right", "bottom-left", "bottom-right", "center"] = Field(
        default="bottom-right", description="Where on the background the overlay lies."
    )
    scale: float = Field(default=0.3, gt=0, le=1, description="The overlay's width as a part of the background's.")

    def problems(self) -> Iterator[tuple[str, str]]:
        if (self.crop_width is None) != (self.crop_height is None):
            missing, given = ("cropWidth", "cropHeight") if self.crop_width is None else ("cropHeight", "cropWidth")
            yield missing, f"'{given}' is set, so '{missing}' must be set too."


class ComposeVideoNode(NodeModel):
    """One picture laid on another, such as a talking head in the corner of a screen recording."""

    type: Literal["compose-video"]
    inputs: ComposeVideoInputs = Field(description="Which nodes it is made from.")
    config: ComposeVideoConfig = Field(default=ComposeVideoConfig(), description="How it is made.")


# --- the table of types, derived ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Slot:
    """One input of a type: the media types that fit it, and how many nodes it takes."""

    name: str
    accepts: tuple[MediaType, ...]
    required: bool
    many: bool
    minimum: int
    description: str


@dataclass(frozen=True, slots=True)
class NodeType:
    """One node type. `makes` is None for assets, which are what they say they are."""

    name: str
    model: type[NodeModel]
    inputs: type[Inputs]
    configs: Mapping[str, type[Config]]
    """The settings for each provider; the key is "" for assets, "*" where any provider is named."""
    slots: Mapping[str, Slot]

    @property
    def makes(self) -> MediaType | None:
        return self.model.makes

    @property
    def makeable(self) -> tuple[str, ...]:
        return self.model.makeable


def _node_type(model: type[NodeModel]) -> NodeType:
    inputs: type[Inputs] = model.model_fields["inputs"].annotation  # type: ignore[assignment]
    config = model.model_fields["config"].annotation
    configs = [one for one in (get_args(config) or (config,)) if isinstance(one, type)]
    (name,) = get_args(model.model_fields["type"].annotation)
    return NodeType(name, model, inputs, {_provider(one): one for one in configs}, _slots(inputs))


def _provider(config: type[Config]) -> str:
    if "provider" not in config.model_fields:
        return ""
    names = get_args(config.model_fields["provider"].annotation)
    return str(names[0]) if names else "*"


def _slots(inputs: type[Inputs]) -> dict[str, Slot]:
    slots = {}
    for field in inputs.model_fields.values():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)
        many = "minimum" in extra
        name = str(field.alias)
        fits: tuple[Any, ...] = tuple(extra["accepts"])  # type: ignore[arg-type]
        minimum = int(str(extra.get("minimum", 1)))
        slots[name] = Slot(name, fits, field.is_required(), many, minimum, str(field.description))
    return slots


_MODELS: tuple[type[NodeModel], ...] = (
    AssetNode,
    VoiceoverNode,
    TalkingHeadNode,
    AnimationNode,
    RenderCodeNode,
    MixAudioNode,
    MergeVideosNode,
    ComposeVideoNode,
)
NODE_TYPES: Mapping[str, NodeType] = {kind.name: kind for kind in (_node_type(model) for model in _MODELS)}
