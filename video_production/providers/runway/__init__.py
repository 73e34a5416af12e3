"""Runway: animations by Gen-4.5 and by Runway's Veo 3.1, as jobs that are polled."""

from video_production.providers.runway.adapter import Runway

__all__ = ["PROVIDER", "Runway"]

PROVIDER = Runway
