"""Veo on Vertex AI, with the token service and the bucket that belong to it."""

from stand_ins.veo3.service_account import draft_secret

__all__ = ["draft_secret"]
