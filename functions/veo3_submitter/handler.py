"""Sends an animation's request to Veo, or follows the request that exists already."""

from __future__ import annotations

from functions.buying import submitting
from video_production.providers.veo3 import Veo

handler = submitting(Veo)
