"""ElevenLabs: voiceovers, as an asynchronous job or in one timed call."""

from video_production.providers.elevenlabs.adapter import ElevenLabs

__all__ = ["PROVIDER", "ElevenLabs"]

PROVIDER = ElevenLabs
