"""veo3: short films by Veo 3.1 on Google's Vertex AI, as an operation that is asked about until it is done."""

from video_production.providers.veo3.adapter import Veo

__all__ = ["PROVIDER", "Veo"]

PROVIDER = Veo
