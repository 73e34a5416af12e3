"""The house profile: what everything that we encode looks and sounds like, as data and as FFmpeg arguments.

Picture: H.264 High, 8-bit 4:2:0, even size, square pixels, progressive, BT.709 limited and tagged, constant frame rate,
a key frame at least every 2 s. Sound: AAC-LC, 48 kHz, stereo, 192 kbit/s. Files with the same size and frame rate have
byte-equal sample entries, so that they can be joined later without re-encoding.

Filters assume that FFmpeg turns the picture upright by itself (its default) before they see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from video_production.media.info import AudioTrack, VideoTrack

__all__ = [
    "CHANNELS",
    "DRAFT_COMMENT",
    "FRAME_RATES",
    "SAMPLE_RATE",
    "Picture",
    "audio_encoder",
    "audio_filters",
    "display_size",
    "fit_filters",
    "is_hdr",
    "muxer",
    "sdr_filters",
    "snap_frame_rate",
    "track_timescale",
    "video_encoder",
    "video_filters",
]

FRAME_RATES = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
)
SAMPLE_RATE = 48_000
CHANNELS = 2

_TIMESCALE = 120_000
"""Ticks per second in which a frame of every rate above lasts a whole number of ticks."""

_GOP_SECONDS = 2
_X264 = "stitchable=1:chromaloc=0"
"""The same parameter sets at any quality, and wherever the source places its chroma samples."""

_BT709, _BT601, _BT2020, _RGB = 1, (5, 6), 9, 0
_PQ, _HLG = 16, 18
_UNSPECIFIED = 2
_UNKNOWN = (_UNSPECIFIED, 3)
_LIMITED_FORMATS = "yuv420p|yuv422p|yuv444p|yuv420p10le|yuv422p10le|yuv444p10le"
"""Pixels after a conversion to limited range: left alone, FFmpeg keeps a format that says "full range" (yuvj420p), and
the next filter compresses the range once more."""

DRAFT_COMMENT = "DRAFT: contains the work of a draft provider"


@dataclass(frozen=True, slots=True)
class Picture:
    """What a picture is made into: size in pixels (even, square pixels) and frames per second."""

    width: int
    height: int
    frame_rate: Fraction

    @property
    def frame(self) -> Fraction:
        """The duration of one frame in seconds."""
        return 1 / self.frame_rate


def snap_frame_rate(rate: Fraction) -> Fraction:
    """The house frame rate that is nearest to `rate` (frames per second)."""
    return min(FRAME_RATES, key=lambda candidate: abs(candidate - rate))


def track_timescale(rate: Fraction) -> int:
    """Ticks per second in which every frame of `rate` lasts a whole number of ticks: 120,000 for the house rates."""
    if (_TIMESCALE / rate).denominator == 1:
        return _TIMESCALE
    return rate.numerator * -(-10_000 // rate.numerator)


def display_size(video: VideoTrack) -> tuple[int, int]:
    """Width and height as a player shows them: square pixels, upright, rounded up to even numbers."""
    width, height = round(video.width * video.pixel_aspect), video.height
    if video.rotation in (90, 270):
        width, height = height, width
    return _even(width), _even(height)


def is_hdr(video: VideoTrack) -> bool:
    """Whether the picture has a PQ or HLG transfer curve."""
    return video.color is not None and video.color[1] in (_PQ, _HLG)


def video_filters(video: VideoTrack, target: Picture) -> str:
    """The filters that make one input's picture into `target`: fitted, padded with black, never cropped or stretched.

    Frame times stay the input's own, resampled to the target's constant rate from time 0 on: a first frame that comes
    later is shown from 0. A caller that knows another origin shifts the times before this chain (`setpts`).
    """
    parts = [
        _deinterlaced(video),
        f"fps={target.frame_rate}:start_time=0:eof_action=pass",
        sdr_filters(video),
        fit_filters(video, target),
    ]
    return ",".join(part for part in parts if part)


def _deinterlaced(video: VideoTrack) -> str:
    return "bwdif=mode=send_frame:deint=interlaced" if video.interlaced else ""


def sdr_filters(video: VideoTrack) -> str:
    """The filters that convert the picture's colours to BT.709 limited, or "" where they are that already.

    Untagged pictures have BT.601's matrix below 720 lines and BT.709's from there on; their primaries are left alone,
    for what nobody tagged was made on a screen. PQ and HLG are tone-mapped: diffuse white lies at 203 cd/m² (ITU-R
    BT.2408), dark and middle tones stay as they are, highlights up to 1000 cd/m² are compressed. The transfer curve of
    SDR pictures is left alone: players show them all alike.
    """
    primaries, transfer, matrix, full = _source_color(video)
    if transfer in (_PQ, _HLG):
        return (
            f"{_tagged(primaries, transfer, matrix)},zscale=transfer=linear:npl=203,format=gbrpf32le,"
            "zscale=primaries=bt709,tonemap=tonemap=mobius:param=0.5:peak=5:desat=0,"
            "zscale=transfer=bt709:matrix=bt709:range=limited,format=yuv420p"
        )
    if _has_alpha(video.pixel_format):
        return f"format=gbrap,premultiply=inplace=1,format=gbrp,{_from_rgb()}"
    if matrix == _RGB:
        return _from_rgb()
    if (primaries, matrix) == (_BT709, _BT709):
        return "scale=in_range=full:out_range=limited:flags=accurate_rnd" if full else ""
    converted = f"zscale=primaries=bt709:transfer=bt709:matrix=bt709:range=limited,format={_LIMITED_FORMATS}"
    return f"{_tagged(primaries, _BT709, matrix)},{converted}"


def _tagged(primaries: int, transfer: int, matrix: int) -> str:
    """Tell the filters after this one what the picture's colours mean (numbers of ISO 23091-4).

    Not their range: every decoder tells that with its frames, and only those are never wrong about it.
    """
    return f"setparams=color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}"


def _from_rgb() -> str:
    return "scale=out_color_matrix=bt709:out_range=limited:flags=accurate_rnd+full_chroma_int"


def _has_alpha(pixel_format: str) -> bool:
    return pixel_format.startswith(("yuva", "rgba", "bgra", "argb", "abgr", "gbrap", "ya8", "ya16", "pal8"))


def _is_rgb(pixel_format: str) -> bool:
    return pixel_format.startswith(("rgb", "bgr", "gbr", "0rgb", "0bgr", "x2rgb", "x2bgr"))


def _source_color(video: VideoTrack) -> tuple[int, int, int, bool]:
    """Primaries, transfer, matrix, full range; everything that is not tagged is filled in."""
    primaries, transfer, matrix, full = video.color or (_UNSPECIFIED, _UNSPECIFIED, _UNSPECIFIED, False)
    hdr = transfer in (_PQ, _HLG)
    if primaries in _UNKNOWN:
        primaries = _BT2020 if hdr else _BT709
    if _is_rgb(video.pixel_format):
        matrix = _RGB
    elif matrix in (_RGB, *_UNKNOWN):
        matrix = _assumed_matrix(video, primaries, hdr)
    return (
        primaries,
        _BT709 if transfer in _UNKNOWN else transfer,
        matrix,
        full or video.pixel_format.startswith("yuvj"),
    )


def _assumed_matrix(video: VideoTrack, primaries: int, hdr: bool) -> int:
    if hdr:
        return _BT2020
    if primaries in _BT601:
        return primaries
    tagged = video.color is not None and video.color[0] == _BT709
    return _BT709 if tagged or min(display_size(video)) >= 720 else _BT601[1]


def fit_filters(video: VideoTrack, target: Picture) -> str:
    """The filters that scale an upright BT.709 picture into the target's size and pad it with black, tags included."""
    width, height = display_size(video)
    scale = min(Fraction(target.width, width), Fraction(target.height, height))
    fitted_width = min(target.width, _even(round(width * scale)))
    fitted_height = min(target.height, _even(round(height * scale)))
    left, top = (target.width - fitted_width) // 4 * 2, (target.height - fitted_height) // 4 * 2
    parts = [f"scale={fitted_width}:{fitted_height}:flags=bicubic+accurate_rnd", "format=yuv420p"]
    if (fitted_width, fitted_height) != (target.width, target.height):
        parts.append(f"pad={target.width}:{target.height}:{left}:{top}:black")
    parts.append(
        "setsar=1,setparams=field_mode=prog:range=limited:color_primaries=bt709:color_trc=bt709:colorspace=bt709"
    )
    return ",".join(parts)


def _even(number: int) -> int:
    return max(2, number + number % 2)


def video_encoder(target: Picture) -> list[str]:
    """Encoder arguments for the picture. The same target gives byte-equal sample entries on every machine.

    `veryfast` at CRF 18 encodes 720p several times faster than it plays on two cores and, of the fast presets, makes
    the smallest files at a structural similarity of 0.987 on the hardest material tried.
    """
    return [
        *("-c:v", "libx264", "-profile:v", "high", "-preset", "veryfast", "-crf", "18", "-pix_fmt", "yuv420p"),
        *("-g", str(round(target.frame_rate * _GOP_SECONDS)), "-x264-params", _X264, "-flags:v", "+bitexact"),
        *("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709", "-color_range", "tv"),
    ]


def audio_filters(audio: AudioTrack, *, origin: Fraction = Fraction(0)) -> str:
    """The filters that make one input's sound into 48 kHz stereo whose first sample is heard at `origin` (seconds).

    Sound that begins later is preceded by silence, sound before `origin` is left out, holes are filled. Mono goes to
    both channels at unity gain; more than two channels are mixed down without a change of level and limited.
    """
    parts = [f"asetpts=PTS-({origin})/TB"] if origin else []
    if audio.channels == 1:
        parts.append("pan=stereo|c0=c0|c1=c0")
    parts.append(f"aresample={SAMPLE_RATE}:ochl=stereo:osf=fltp:async=1:min_hard_comp=0.01:first_pts=0")
    if audio.channels > CHANNELS:
        parts.append("alimiter=limit=0.98:level=disabled:latency=1")
    return ",".join(parts)


def audio_encoder() -> list[str]:
    """Encoder arguments for the sound."""
    return [
        *("-c:a", "aac", "-profile:a", "aac_low", "-b:a", "192k"),
        *("-ar", str(SAMPLE_RATE), "-ac", str(CHANNELS), "-flags:a", "+bitexact"),
    ]


def muxer(rate: Fraction, *, draft: bool = False) -> list[str]:
    """Output arguments of an MP4 file: index first, exact time scales, none of the inputs' metadata.

    `draft` marks the file as containing a draft provider's work.
    """
    timescale = str(track_timescale(rate))
    mark = ["-metadata", f"comment={DRAFT_COMMENT}"] if draft else []
    return [
        *("-map_metadata", "-1", "-map_chapters", "-1", *mark, "-fflags", "+bitexact"),
        *("-movie_timescale", timescale, "-video_track_timescale", timescale, "-movflags", "+faststart", "-f", "mp4"),
    ]
