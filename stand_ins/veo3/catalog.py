"""The models of Veo on Vertex AI: those that there are, and those that were taken away."""

from __future__ import annotations

from dataclasses import dataclass

from stand_ins.veo3.errors import ApiError

__all__ = ["MODELS", "SIZES", "Model", "find_model"]


@dataclass(frozen=True, slots=True)
class Model:
    """`usd` is the price of a second; `resolutions` are those that it makes."""

    id: str
    title: str
    usd: float
    resolutions: tuple[str, ...] = ("720p", "1080p")


MODELS = {
    model.id: model
    for model in (
        Model("veo-3.1-generate-001", "Veo 3.1", 0.40),
        Model("veo-3.1-fast-generate-001", "Veo 3.1 Fast", 0.15),
        Model("veo-3.1-lite-generate-001", "Veo 3.1 Lite", 0.05, ("720p",)),
    )
}
RETIRED = frozenset({"veo-2.0-generate-001", "veo-3.0-generate-001", "veo-3.0-fast-generate-001"})
SIZES = {
    ("16:9", "720p"): (1280, 720),
    ("9:16", "720p"): (720, 1280),
    ("16:9", "1080p"): (1920, 1080),
    ("9:16", "1080p"): (1080, 1920),
}


def find_model(name: str, project: str, location: str) -> Model:
    """The model, or ApiError 404 for one that is unknown or retired."""
    if name in MODELS:
        return MODELS[name]
    path = f"projects/{project}/locations/{location}/publishers/google/models/{name}"
    if name in RETIRED:
        raise ApiError(404, f"Publisher Model `{path}` is no longer available. Please use a newer model.")
    message = f"Publisher Model `{path}` was not found or your project does not have access to it."
    raise ApiError(404, message)
