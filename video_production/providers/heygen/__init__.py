"""HeyGen: talking heads, by its v3 API."""

from video_production.providers.heygen.adapter import HeyGen

__all__ = ["PROVIDER", "HeyGen"]

PROVIDER = HeyGen
