"""Follows animations at Veo: for the node that waits, and for whoever says that a job should be looked at."""

from __future__ import annotations

from functions.buying import polling
from video_production.providers.veo3 import Veo

handler = polling(Veo)
