"""Sends an animation's request to Runway, or follows the request that exists already."""

from __future__ import annotations

from functions.buying import submitting
from video_production.providers.runway import Runway

handler = submitting(Runway)
