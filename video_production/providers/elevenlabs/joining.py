"""The parts of a long voiceover as one sound with one pair of caption files. Nothing is encoded again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from video_production.errors import MediaError, OperatorError
from video_production.media.sound_join import JoinedSound, join_mp3, join_wav
from video_production.nodes.model import Captions
from video_production.providers.elevenlabs.delivery import deliver
from video_production.providers.interface import Destination, Made
from video_production.providers.sound import Sound
from video_production.storage import Storage, file_name

__all__ = ["join_voiceover"]


def join_voiceover(storage: Storage, parts: Sequence[Made], destination: Destination, folder: Path) -> Made:
    """Fetch the parts into `folder`, join them in order and store the whole.

    The captions of each part are moved to where its sound begins. Raises MediaError, OperatorError, TransientError.
    """
    sounds = [folder / f"{number}-{file_name(part.s3_key)}" for number, part in enumerate(parts)]
    target = folder / "joined"
    try:
        for part, path in zip(parts, sounds, strict=True):
            storage.download(part.bucket, part.s3_key, path)
        sound, joined = _join(sounds, target)
    except OSError as error:
        raise OperatorError(
            f"The parts of the voiceover could not be joined on the disk ({error.strerror}); give the function more."
        ) from error
    made = deliver(storage, destination, sound, "")
    return replace(made, external_id=None, captions=_captions(storage, parts, joined, destination))


def _join(parts: Sequence[Path], target: Path) -> tuple[Sound, JoinedSound]:
    suffixes = {part.suffix for part in parts}
    if suffixes == {".mp3"}:
        joined = join_mp3(parts, target)
        return Sound(target, ".mp3", "audio/mpeg", joined.duration), joined
    if suffixes == {".wav"}:
        joined = join_wav(parts, target)
        return Sound(target, ".wav", "audio/wav", joined.duration), joined
    raise MediaError(
        f"Sound of the kind {', '.join(sorted(suffixes))} can't be joined as it is; choose an MP3 or WAV outputFormat."
    )


def _captions(
    storage: Storage, parts: Sequence[Made], joined: JoinedSound, destination: Destination
) -> Captions | None:
    """The captions of all parts, each from where its sound begins; None where no part has any."""
    if not any(part.captions for part in parts):
        return None
    from video_production.media.captions import join, read_captions, to_srt, to_vtt

    ends = [*joined.starts[1:], joined.duration]
    cues = join(
        (read_captions(storage.read(part.bucket, part.captions.vtt)) if part.captions else [], start, end - start)
        for part, start, end in zip(parts, joined.starts, ends, strict=True)
    )
    captions = Captions(srt=f"{destination.prefix}voice.srt", vtt=f"{destination.prefix}voice.vtt")
    storage.put_bytes(to_srt(cues), destination.bucket, captions.srt, "application/x-subrip")
    storage.put_bytes(to_vtt(cues), destination.bucket, captions.vtt, "text/vtt")
    return captions
