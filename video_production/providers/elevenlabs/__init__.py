"""ElevenLabs: voiceovers, as an asynchronous job or in one timed call."""

from video_production.providers.elevenlabs.adapter import ElevenLabs
from video_production.providers.elevenlabs.webhooks import Subscription, register_webhook

__all__ = ["ElevenLabs", "Subscription", "register_webhook"]
