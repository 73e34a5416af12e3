"""Videos of a given size, made quickly: some seconds are encoded, then repeated without encoding them again."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

__all__ = ["Kind", "make_input", "make_loops"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is encoded: H.264 of `height` lines (16:9) at 30 fps and `kbits` per second,
    a key frame every `gop` seconds, with AAC stereo.

    Another `chroma` (offset of its quantiser) makes another picture parameter set. `loop` seconds are repeated; 16 are
    750 packets of sound, so that it has no seam.
    """

    kbits: int
    gop: int
    chroma: int = 0
    loop: int = 16
    height: int = 1080

    @property
    def words(self) -> str:
        often = "second" if self.gop == 1 else f"{self.gop} s"
        return f"{self.height}p30, {self.kbits / 1000:g} Mbit/s, a key frame every {often}"


def make_loops(kind: Kind, folder: Path) -> tuple[Path, Path]:
    """The picture and the sound that are repeated."""
    picture, sound = folder / f"{kind.kbits}-{kind.gop}-{kind.chroma}-{kind.height}.mp4", folder / "sound.aac"
    noisy = f"testsrc2=size={kind.height * 16 // 9}x{kind.height}:rate=30:duration={kind.loop},noise=alls=6:allf=t"
    rate = ["-b:v", f"{kind.kbits}k", "-maxrate", f"{kind.kbits}k", "-bufsize", f"{kind.kbits * kind.gop}k"]
    keys = ["-g", str(30 * kind.gop), "-keyint_min", str(30 * kind.gop), "-sc_threshold", "0"]
    settings = ["-x264-params", f"stitchable=1:chroma-qp-offset={kind.chroma}"]
    h264 = ["-c:v", "libx264", "-preset", "superfast", "-pix_fmt", "yuv420p", "-bf", "2", *rate, *keys, *settings]
    _ffmpeg("-f", "lavfi", "-i", noisy, *h264, picture)
    if not sound.exists():
        tone = f"sine=frequency=440:sample_rate=48000:duration={kind.loop}"
        _ffmpeg(
            "-f",
            "lavfi",
            "-i",
            tone,
            "-ac",
            "2",
            "-c:a",
            "aac",
            "-b:a",
            "128k",
            "-frames:a",
            str(kind.loop * 48_000 // 1024 - 1),
            sound,
        )
    return picture, sound


def make_input(loops: tuple[Path, Path], size: int, output: Path) -> None:
    """A video of about `size` bytes, its header in front."""
    picture, sound = loops
    times = max(1, round(size / (picture.stat().st_size + sound.stat().st_size)))
    again = ["-stream_loop", str(times - 1)]
    streams: list[str | Path] = [*again, "-i", picture, *again, "-f", "aac", "-i", sound, "-map", "0:v", "-map", "1:a"]
    _ffmpeg(*streams, "-c", "copy", "-bsf:a", "aac_adtstoasc", "-movflags", "+faststart", output)


def _ffmpeg(*arguments: str | Path) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True)
