"""Our own reader of MP4 and MOV files (ISO base media file format, ISO/IEC 14496-12).

`read_movie(source)` reads the boxes that describe a file, never its media, through ranged reads of any `Source`:

    source.py        where bytes come from: a local file, an object in S3
    boxes.py         boxes and checked fields: the grammar
    entries.py       sample entries: codecs and their configuration
    audio_config.py  what an AAC stream says of itself
    parameters.py    H.264 and HEVC sequence parameter sets: pixels, scan, colour
    tables.py        sample tables into flat arrays
    fragments.py     movie fragments appended to the same arrays
    model.py         what comes out: Movie, Track, Samples, Edit
    timeline.py      which samples are presented, when
    reader.py        the way through a file
"""

from video_production.media.mp4.model import AudioEntry, Color, Edit, Movie, OtherEntry, Samples, Track, VideoEntry
from video_production.media.mp4.reader import looks_like_mp4, read_movie
from video_production.media.mp4.source import LocalFile, S3Object, Source

__all__ = [
    "AudioEntry",
    "Color",
    "Edit",
    "LocalFile",
    "Movie",
    "OtherEntry",
    "S3Object",
    "Samples",
    "Source",
    "Track",
    "VideoEntry",
    "looks_like_mp4",
    "read_movie",
]
