"""Follows voiceovers at ElevenLabs: for the node that waits, and for whoever says that a job should be looked at."""

from __future__ import annotations

from functions.buying import polling
from video_production.providers.elevenlabs import ElevenLabs

handler = polling(ElevenLabs)
