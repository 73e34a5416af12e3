"""Sends a talking head's request to HeyGen, or follows the request that exists already."""

from __future__ import annotations

from functions.buying import submitting
from video_production.providers.heygen import HeyGen

handler = submitting(HeyGen)
