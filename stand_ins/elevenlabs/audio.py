"""Speech in the output formats of ElevenLabs, encoded by FFmpeg.

An MP3 carries the encoder's delay in its first frame, so decoders that honour it (FFmpeg, browsers) start exactly
where the speech starts; the times of characters then need no correction.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from stand_ins.elevenlabs.errors import ApiError
from stand_ins.speech import Speech

__all__ = ["AudioFormat", "encode"]

_RATES: Mapping[str, tuple[str, ...]] = {
    "mp3": ("22050_32", "24000_48", "44100_32", "44100_64", "44100_96", "44100_128", "44100_192"),
    "opus": ("48000_32", "48000_64", "48000_96", "48000_128", "48000_192"),
    "pcm": ("8000", "16000", "22050", "24000", "32000", "44100", "48000"),
    "wav": ("8000", "16000", "22050", "24000", "32000", "44100", "48000"),
    "ulaw": ("8000",),
    "alaw": ("8000",),
}
_CONTENT_TYPES: Mapping[str, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/opus",
    "pcm": "audio/pcm",
    "wav": "audio/wav",
    "ulaw": "audio/basic",
    "alaw": "audio/x-alaw-basic",
}
_ENCODERS: Mapping[str, tuple[str, ...]] = {
    "mp3": ("-c:a", "libmp3lame", "-id3v2_version", "0", "-f", "mp3"),
    "opus": ("-c:a", "libopus", "-f", "ogg"),
    "pcm": ("-c:a", "pcm_s16le", "-f", "s16le"),
    "wav": ("-c:a", "pcm_s16le", "-f", "wav"),
    "ulaw": ("-c:a", "pcm_mulaw", "-f", "mulaw"),
    "alaw": ("-c:a", "pcm_alaw", "-f", "alaw"),
}


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """`mp3_44100_128` and its kin: codec, samples per second, kilobits per second (0 where it has none)."""

    name: str
    codec: str
    rate: int
    bitrate: int

    @classmethod
    def parse(cls, name: str) -> AudioFormat:
        """Read a format's name; raise ApiError for one that ElevenLabs does not make."""
        found = re.fullmatch(r"([a-z0-9]+?)_((\d+)(?:_(\d+))?)", name)
        if not found or found[2] not in _RATES.get(found[1], ()):
            raise ApiError(
                400, "invalid_output_format", f"The output format {name} is not supported.", parameter="output_format"
            )
        return cls(name, found[1], int(found[3]), int(found[4] or 0))

    @property
    def content_type(self) -> str:
        return _CONTENT_TYPES[self.codec]

    @property
    def smallest_plan(self) -> str:
        """The plan from which on this format is sold."""
        if self.codec in ("pcm", "wav") and self.rate >= 44100:
            return "pro"
        return "creator" if self.name == "mp3_44100_192" else "free"


def encode(speech: Speech, audio_format: AudioFormat, destination: Path) -> None:
    """Write `speech` to `destination` in `audio_format`; the same speech gives the same bytes."""
    # The file must be seekable: FFmpeg goes back to write the delay into an MP3, and the sizes into a WAV.
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        *("-v", "error", "-y", "-threads", "1"),
        *("-f", "s16le", "-ar", str(speech.sample_rate), "-ac", "1", "-i", "pipe:0"),
        *("-map_metadata", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact", "-ar", str(audio_format.rate)),
        *(("-b:a", f"{audio_format.bitrate}k") if audio_format.bitrate else ()),
        *_ENCODERS[audio_format.codec],
        str(destination),
    ]
    destination.parent.mkdir(parents=True, exist_ok=True)
    finished = subprocess.run(command, input=speech.pcm, capture_output=True, check=False)
    if finished.returncode != 0:
        raise RuntimeError(f"FFmpeg could not encode {audio_format.name}: {finished.stderr.decode(errors='replace')}")
