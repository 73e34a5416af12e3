"""One small example node per type, for the schema and the reference page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["EXAMPLES"]

EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "asset": {"id": "intro-text", "type": "asset", "asset": {"type": "text", "source": "scripts/intro.txt"}},
    "generate-voiceover": {
        "id": "intro-voice",
        "type": "generate-voiceover",
        "inputs": {"script": "intro-text"},
        "config": {
            "provider": "elevenlabs",
            "voiceId": "JBFqnCBsd6RMkjVDRZzb",
            "modelId": "eleven_multilingual_v2",
            "captions": True,
        },
    },
    "generate-talking-head": {
        "id": "teacher",
        "type": "generate-talking-head",
        "inputs": {"audio": "intro-voice"},
        "config": {"provider": "heygen", "avatarId": "Anna_public_3", "width": 1280, "height": 720},
    },
    "generate-animation": {
        "id": "robot",
        "type": "generate-animation",
        "inputs": {"prompt": "robot-prompt"},
        "config": {"provider": "veo3", "duration": 8, "aspectRatio": "16:9"},
    },
    "render-code": {
        "id": "code-demo",
        "type": "render-code",
        "inputs": {"config": "code-settings"},
        "config": {"provider": "remotion"},
    },
    "mix-audio": {
        "id": "intro",
        "type": "mix-audio",
        "inputs": {"video": "intro-slide", "audio": "intro-voice"},
        "config": {"mode": "replace"},
    },
    "merge-videos": {"id": "lesson", "type": "merge-videos", "inputs": {"segments": ["intro", "outro"]}},
    "compose-video": {
        "id": "lesson-with-teacher",
        "type": "compose-video",
        "inputs": {"background": "screen", "overlay": "teacher"},
        "config": {"rounded": True, "position": "bottom-right", "scale": 0.3},
    },
}
