"""Sends a voiceover's request to ElevenLabs, or follows the request that exists already."""

from __future__ import annotations

from functions.buying import submitting
from video_production.providers.elevenlabs import ElevenLabs

handler = submitting(ElevenLabs)
