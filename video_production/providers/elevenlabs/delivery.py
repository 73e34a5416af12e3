"""A finished voiceover, checked and stored at its destination; and found there again.

The files of an attempt: `voice.mp3` (or another suffix), `voice.srt` and `voice.vtt` where captions are wanted, and,
for the timed call, `alignment.json`. That one is written last: where it lies, everything lies.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace

from video_production.errors import MediaError
from video_production.nodes.model import Captions
from video_production.providers.elevenlabs.timed import TimedAnswer
from video_production.providers.interface import Destination, Made
from video_production.providers.sound import Sound
from video_production.storage import Storage

__all__ = ["deliver", "delivered", "record"]

_log = logging.getLogger(__name__)
_RECORD = "alignment.json"
_RECORD_LIMIT = 64 << 20
"""40,000 characters with two alignments are some 5 MB of JSON."""


def deliver(
    storage: Storage, destination: Destination, sound: Sound, external_id: str, captions: Captions | None = None
) -> Made:
    """Upload a checked sound file; raises what Storage raises."""
    key = f"{destination.prefix}voice{sound.suffix}"
    stored = storage.upload(sound.path, destination.bucket, key, sound.content_type)
    return Made(
        type="audio",
        bucket=stored.bucket,
        s3_key=stored.key,
        size=stored.size,
        sha256=stored.sha256,
        duration=sound.duration,
        external_id=external_id,
        captions=captions,
    )


def record(storage: Storage, destination: Destination, made: Made, answer: TimedAnswer, *, captions: bool) -> Made:
    """Store captions, where wanted, and the alignment of a voiceover that is already uploaded."""
    if captions:
        made = replace(made, captions=_write_captions(storage, destination, answer))
    data = {
        "external_id": made.external_id,
        "sound": {"key": made.s3_key, "size": made.size, "sha256": made.sha256, "duration": made.duration},
        **answer.to_json(),
    }
    content = json.dumps(data, ensure_ascii=False).encode()
    storage.put_bytes(content, destination.bucket, destination.prefix + _RECORD, "application/json")
    return made


def delivered(storage: Storage, destination: Destination, *, captions: bool) -> Made | None:
    """What an earlier run of this attempt stored completely; None where something is missing or differs."""
    try:
        data = json.loads(storage.read(destination.bucket, destination.prefix + _RECORD, _RECORD_LIMIT))
    except MediaError:
        return None
    sound = data["sound"]
    stored = storage.head(destination.bucket, sound["key"])
    if stored is None or stored.size != sound["size"]:
        return None
    made = Made(
        type="audio",
        bucket=destination.bucket,
        s3_key=sound["key"],
        size=sound["size"],
        sha256=sound["sha256"],
        duration=sound["duration"],
        external_id=data["external_id"],
    )
    if captions:
        made = replace(made, captions=_write_captions(storage, destination, TimedAnswer.from_json(data)))
    return made


def _write_captions(storage: Storage, destination: Destination, answer: TimedAnswer) -> Captions | None:
    """Store `.srt` and `.vtt`; None, with a warning, where the provider gave no times: the voice is paid anyway."""
    alignment = answer.alignment or answer.normalized
    if alignment is None:
        _log.warning("ElevenLabs gave no character times; the voiceover has no captions.")
        return None
    # pysubs2 is not on the path of a poller's cold start.
    from video_production.media.captions import cues_from_alignment, to_srt, to_vtt

    cues = cues_from_alignment(alignment.characters, alignment.starts, alignment.ends)
    captions = Captions(srt=f"{destination.prefix}voice.srt", vtt=f"{destination.prefix}voice.vtt")
    storage.put_bytes(to_srt(cues), destination.bucket, captions.srt, "application/x-subrip")
    storage.put_bytes(to_vtt(cues), destination.bucket, captions.vtt, "text/vtt")
    return captions
