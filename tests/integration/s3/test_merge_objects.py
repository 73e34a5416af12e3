"""Merging where the objects lie: S3 copies the media. The destination changes whole or not at all."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from local_cloud.s3 import DiskS3
from tests.integration.s3.clients import ACCESS_KEY, MIB, SECRET_KEY, Bucket, fresh_bucket
from tests.unit.media.clips import FFMPEG, make_clip, run_ffmpeg
from tests.unit.media.spliced import decode_frames
from video_production.errors import MediaError, OperatorError, OutOfTime, TransientError, VerificationFailed
from video_production.media.abandoned import abort_abandoned
from video_production.media.merge import Merged, MergeInput, merge
from video_production.media.mp4.source import LocalFile, S3Object
from video_production.media.splice.parts import LEAST_PART, Bytes, Piece, Range
from video_production.media.splice.transfer import VirtualFile, write_file, write_object
from video_production.storage import S3Location, Storage

CHECKOUT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two clips of some 12 MiB that fit together, and a small one."""
    folder = tmp_path_factory.mktemp("clips")
    for name, seed, seconds in (("a", 1, 3.6), ("b", 2, 3.6), ("small", 3, 0.4)):
        plain = make_clip(
            folder / f"{name}.plain.mp4",
            seconds=seconds,
            sample_rate=None,
            gop=10,
            extra=("-vf", f"noise=alls=100:allf=t:all_seed={seed}", "-qp", "1", "-movflags", "+faststart"),
        )
        tone = f"sine=sample_rate=48000:frequency={300 * seed}"
        run_ffmpeg(
            *("-i", plain, "-f", "lavfi", "-i", tone, "-c:v", "copy", "-c:a", "aac", "-ac", "2", "-shortest"),
            *("-movflags", "+faststart", folder / f"{name}.mp4"),
        )
        plain.unlink()
    assert (folder / "a.mp4").stat().st_size > 2 * LEAST_PART > (folder / "small.mp4").stat().st_size
    return [folder / "a.mp4", folder / "b.mp4", folder / "small.mp4"]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "access.log"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, log: Path) -> Iterator[str]:
    with DiskS3(tmp_path_factory.mktemp("s3"), ACCESS_KEY, SECRET_KEY, log).serve() as running:
        yield running.url


@pytest.fixture
def bucket(url: str, clips: list[Path]) -> Iterator[Bucket]:
    """The clips, and an earlier result that has to survive what fails."""
    made = fresh_bucket(url, retries={"mode": "standard", "max_attempts": 4}, max_pool_connections=40)
    for clip in clips:
        made.client.upload_file(str(clip), made.name, clip.name)
    made.put("out.mp4", b"before")
    yield made
    made.client.close()


def run(bucket: Bucket, folder: Path, *names: str, **options: Any) -> Merged:
    inputs = [MergeInput(name, S3Location(bucket.name, name)) for name in names]
    work = folder / "work"
    work.mkdir(exist_ok=True)
    storage = Storage(bucket.client)
    return merge(inputs, S3Location(bucket.name, "out.mp4"), work, storage=storage, ffmpeg=FFMPEG, **options)


def untouched(bucket: Bucket) -> bool:
    """The earlier result is there, and no upload is left open."""
    return bucket.get("out.mp4") == b"before" and not open_uploads(bucket)


def open_uploads(bucket: Bucket) -> list[dict[str, Any]]:
    uploads: list[dict[str, Any]] = bucket.client.list_multipart_uploads(Bucket=bucket.name).get("Uploads", [])
    return uploads


def logged(log: Path, bucket: Bucket) -> list[dict[str, Any]]:
    """What was asked of S3 for this bucket, once the last upload is written down."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        own = [line for line in lines if line["bucket"] == bucket.name]
        if any(line["operation"] == "complete_multipart_upload" and line["key"] == "out.mp4" for line in own):
            return own
        time.sleep(0.02)
    raise AssertionError("the upload was never completed")


def answered(bucket: Bucket, operation: str, status: int, code: str, times: int = 1 << 30) -> Callable[[], int]:
    """S3 refuses the first `times` calls of an operation. How often it was called is returned by what is returned."""
    calls = 0
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    class Raw(io.BytesIO):
        def stream(self, **_: Any) -> Iterator[bytes]:
            yield self.read()

    def refuse(request: Any, **_: Any) -> AWSResponse | None:
        nonlocal calls
        calls += 1
        return (
            AWSResponse(request.url, status, {"content-type": "application/xml"}, Raw(body)) if calls <= times else None
        )

    bucket.client.meta.events.register(f"before-send.s3.{operation}", refuse)
    return lambda: calls


def before(bucket: Bucket, operation: str, act: Callable[[], Any]) -> None:
    """Do something just before the first call of an operation."""
    left = [act]

    def hook(**_: Any) -> None:
        if left:
            left.pop()()

    bucket.client.meta.events.register(f"before-send.s3.{operation}", hook)


def tags_sent(bucket: Bucket, operation: str) -> list[str]:
    """Filled with the tags that objects are given from now on."""
    sent: list[str] = []
    event = f"before-call.s3.{operation}"
    bucket.client.meta.events.register(event, lambda params, **_: sent.append(params["headers"]["x-amz-tagging"]))
    return sent


def test_media_never_travel(bucket: Bucket, clips: list[Path], log: Path, tmp_path: Path) -> None:
    tagged = tags_sent(bucket, "CreateMultipartUpload")
    merged = run(bucket, tmp_path, "a.mp4", "b.mp4", "a.mp4", tags=(("jiki-video", "intermediate"),))
    assert merged.result.method == "splice"

    calls = logged(log, bucket)
    first = next(i for i, line in enumerate(calls) if line["operation"] == "get_object")
    calls = calls[first:]
    read = sum(line["bytes_out"] for line in calls if line["operation"] == "get_object")
    written = sum(line["bytes_in"] for line in calls if line["operation"] in ("upload_part", "put_object"))
    copied = sum(line["bytes_copied"] for line in calls)
    assert (read, written, copied) == (merged.moved.read, merged.moved.written, merged.moved.copied)
    assert written + copied == merged.size
    assert copied > merged.size - 2 * LEAST_PART
    assert list((tmp_path / "work").iterdir()) == []

    bucket.client.download_file(bucket.name, "out.mp4", str(tmp_path / "out.mp4"))
    own = [decode_frames(clip)[0] for clip in clips[:2]]
    assert decode_frames(tmp_path / "out.mp4")[0] == own[0] + own[1] + own[0]
    head = bucket.head("out.mp4")
    assert (head["ContentType"], head["ContentLength"]) == ("video/mp4", merged.size)
    assert tagged == ["jiki-video=intermediate"]


def test_small_clips_become_one_request(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    tagged = tags_sent(bucket, "PutObject")
    merged = run(bucket, tmp_path, "small.mp4", "small.mp4", tags=(("jiki-video", "intermediate"),))
    assert (merged.moved.copied, merged.moved.written) == (0, merged.size)
    bucket.client.download_file(bucket.name, "out.mp4", str(tmp_path / "out.mp4"))
    assert decode_frames(tmp_path / "out.mp4")[0] == 2 * decode_frames(clips[2])[0]
    assert bucket.head("out.mp4")["ContentType"] == "video/mp4"
    assert tagged == ["jiki-video=intermediate"]


def test_an_input_on_this_machine_is_sent_between_objects(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    inputs = [
        MergeInput("a", S3Location(bucket.name, "a.mp4")),
        MergeInput("b", clips[1]),
        MergeInput("a", S3Location(bucket.name, "a.mp4")),
    ]
    storage = Storage(bucket.client)
    merged = merge(inputs, S3Location(bucket.name, "out.mp4"), tmp_path, storage=storage, ffmpeg=FFMPEG)
    assert merged.moved.written >= clips[1].stat().st_size - 100_000
    assert merged.moved.copied > clips[0].stat().st_size
    bucket.client.download_file(bucket.name, "out.mp4", str(tmp_path / "out.mp4"))
    own = [decode_frames(clip)[0] for clip in clips[:2]]
    assert decode_frames(tmp_path / "out.mp4")[0] == own[0] + own[1] + own[0]


def test_objects_are_merged_into_a_local_file(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    inputs = [MergeInput(name, S3Location(bucket.name, name)) for name in ("a.mp4", "small.mp4")]
    merge(inputs, tmp_path / "out.mp4", tmp_path, storage=Storage(bucket.client), ffmpeg=FFMPEG)
    own = [decode_frames(clip)[0] for clip in (clips[0], clips[2])]
    assert decode_frames(tmp_path / "out.mp4")[0] == own[0] + own[1]


# -- what changes meanwhile


def test_an_input_that_is_replaced_fails_the_merge(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    before(bucket, "CreateMultipartUpload", lambda: bucket.put("b.mp4", clips[0].read_bytes()))
    with pytest.raises(TransientError, match=r"b\.mp4 was replaced while it was being"):
        run(bucket, tmp_path, "a.mp4", "b.mp4")
    assert untouched(bucket)


def test_an_input_that_is_removed_fails_the_merge(bucket: Bucket, tmp_path: Path) -> None:
    before(
        bucket,
        "CreateMultipartUpload",
        lambda: bucket.client.delete_object(Bucket=bucket.name, Key="b.mp4"),
    )
    with pytest.raises((TransientError, MediaError), match=r"b\.mp4 (was removed while it was being|does not exist)"):
        run(bucket, tmp_path, "a.mp4", "b.mp4")
    assert untouched(bucket)


def test_the_result_may_replace_one_of_its_inputs(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    inputs = [MergeInput(name, S3Location(bucket.name, name)) for name in ("a.mp4", "b.mp4")]
    target = S3Location(bucket.name, "a.mp4")
    merge(inputs, target, tmp_path, storage=Storage(bucket.client), ffmpeg=FFMPEG)
    bucket.client.download_file(bucket.name, "a.mp4", str(tmp_path / "out.mp4"))
    own = [decode_frames(clip)[0] for clip in clips[:2]]
    assert decode_frames(tmp_path / "out.mp4")[0] == own[0] + own[1]


# -- what S3 refuses


def test_a_part_copy_that_is_slowed_down_once_is_repeated(bucket: Bucket, tmp_path: Path) -> None:
    calls = answered(bucket, "UploadPartCopy", 503, "SlowDown", times=1)
    assert run(bucket, tmp_path, "a.mp4", "b.mp4").result.method == "splice"
    assert calls() >= 3
    assert not open_uploads(bucket)


@pytest.mark.parametrize(
    ("operation", "status", "code", "error", "words"),
    [
        ("UploadPartCopy", 503, "SlowDown", TransientError, "S3 answered SlowDown"),
        ("UploadPartCopy", 403, "AccessDenied", OperatorError, r"can't be copied to .*: access denied"),
        ("UploadPartCopy", 500, "InternalError", TransientError, "S3 answered InternalError"),
        ("UploadPartCopy", 200, "InternalError", TransientError, "S3 answered InternalError"),
        ("CompleteMultipartUpload", 200, "InternalError", TransientError, "S3 answered InternalError"),
        ("UploadPart", 500, "InternalError", TransientError, "S3 answered InternalError"),
        ("CompleteMultipartUpload", 400, "InvalidPart", TransientError, "S3 answered InvalidPart"),
        ("CreateMultipartUpload", 403, "AccessDenied", OperatorError, "access denied"),
        ("GetObject", 403, "AccessDenied", OperatorError, "access denied"),
    ],
)
def test_what_s3_refuses_for_good_leaves_nothing(
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    status: int,
    code: str,
    error: type[Exception],
    words: str,
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the pauses between the SDK's attempts
    answered(bucket, operation, status, code)
    with pytest.raises(error, match=words):
        run(bucket, tmp_path, "a.mp4", "b.mp4")
    bucket.client.meta.events.unregister(f"before-send.s3.{operation}")
    reader = Bucket(fresh_bucket(bucket.url).client, bucket.name, bucket.url)
    assert untouched(reader)


def test_a_deadline_ends_the_copying(bucket: Bucket, tmp_path: Path) -> None:
    before(bucket, "UploadPartCopy", lambda: time.sleep(1.2))
    source = S3Object(bucket.client, bucket.name, "a.mp4")
    pieces: list[Piece] = [Range(0, 8, source.size - 8), Range(0, 8, source.size - 8)]
    with pytest.raises(OutOfTime, match="before S3 had put the video together"):
        write_object(
            bucket.client,
            pieces,
            [source],
            S3Location(bucket.name, "out.mp4"),
            deadline=time.monotonic() + 0.1,
        )
    assert untouched(bucket)


# -- what is no video


def test_what_is_no_whole_video_is_refused(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    bucket.put("text.mp4", b"This is no video. " * 1000)
    bucket.put("empty.mp4", b"")
    bucket.put("cut.mp4", clips[0].read_bytes()[: 6 * MIB])
    for name, words in (("text.mp4", "text"), ("empty.mp4", "empty"), ("cut.mp4", "cut off"), ("no.mp4", "not exist")):
        with pytest.raises(MediaError, match=words):
            run(bucket, tmp_path, "a.mp4", name)
    assert untouched(bucket)


def test_a_join_that_does_not_decode_is_never_written(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    broken = bytearray(clips[1].read_bytes())
    at = broken.index(b"mdat") + 5000
    broken[at : at + 60_000] = os.urandom(60_000)
    bucket.put("b.mp4", bytes(broken))
    with pytest.raises(VerificationFailed, match=r"The join of a\.mp4 and b\.mp4 failed its check"):
        run(bucket, tmp_path, "a.mp4", "b.mp4", method="splice")
    assert untouched(bucket)
    with pytest.raises(MediaError, match=r"b\.mp4 (is damaged|can't be decoded)"):  # nor can it be encoded
        run(bucket, tmp_path, "a.mp4", "b.mp4")
    assert untouched(bucket)


# -- at the same time, and cut short


def test_two_identical_merges_at_once_make_one_whole_object(bucket: Bucket, clips: list[Path], tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda folder: run(bucket, folder, "a.mp4", "b.mp4"), folders))
    assert made[0].sha256 == made[1].sha256
    assert not open_uploads(bucket)
    bucket.client.download_file(bucket.name, "out.mp4", str(tmp_path / "out.mp4"))
    assert len(decode_frames(tmp_path / "out.mp4")[0]) == made[0].result.frames


_KILLED = """
import os, sys, time
from pathlib import Path
import boto3
from video_production.media.merge import MergeInput, merge
from video_production.storage import S3Location, Storage
url, bucket, key, work, ffmpeg = sys.argv[1:]
client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
def wait(**_):
    os.write(1, b"copying\\n")
    time.sleep(60)
client.meta.events.register("after-call.s3.UploadPartCopy", wait)
inputs = [MergeInput(name, S3Location(bucket, name)) for name in ("a.mp4", "b.mp4")]
merge(inputs, S3Location(bucket, key), Path(work), storage=Storage(client), ffmpeg=ffmpeg)
"""


def kill_a_merge_that_copies(bucket: Bucket, tmp_path: Path, key: str) -> dict[str, Any]:
    """Kill a process between two part copies; return the upload that it leaves open."""
    process = subprocess.Popen(
        [sys.executable, "-c", _KILLED, bucket.url, bucket.name, key, str(tmp_path), FFMPEG],
        stdout=subprocess.PIPE,
        cwd=CHECKOUT,
        env={**os.environ, "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == b"copying\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert bucket.get("out.mp4") == b"before"
    [left] = open_uploads(bucket)
    assert left["Key"] == key
    parts = bucket.client.list_parts(Bucket=bucket.name, Key=key, UploadId=left["UploadId"])["Parts"]
    assert parts, "it was killed before anything was copied"
    return left


def test_a_killed_merge_leaves_no_half_object_and_the_next_one_is_whole(
    bucket: Bucket, clips: list[Path], tmp_path: Path
) -> None:
    left = kill_a_merge_that_copies(bucket, tmp_path, "out.mp4")
    run(bucket, tmp_path, "a.mp4", "b.mp4")
    assert open_uploads(bucket) == [left], "for all we know it is still alive"
    merged = run(bucket, tmp_path, "a.mp4", "b.mp4", upload_lifetime=0.0)
    assert open_uploads(bucket) == []
    assert bucket.head("out.mp4")["ContentLength"] == merged.size
    bucket.client.download_file(bucket.name, "out.mp4", str(tmp_path / "out.mp4"))
    assert decode_frames(tmp_path / "out.mp4")[0] == [*decode_frames(clips[0])[0], *decode_frames(clips[1])[0]]


def test_only_uploads_of_the_same_video_are_cleaned_up(bucket: Bucket, tmp_path: Path) -> None:
    tries = ["nodes/joined/first/video.mp4", "nodes/joined/second/video.draft.mp4"]
    others = ["nodes/joined-2/first/video.mp4", "nodes/other/first/video.mp4", "out.mp", "out.mp4.backup"]
    for key in [*tries, *others, "out.mp4", "out.mp4"]:
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key=key)

    def left() -> list[str]:
        return sorted(each["Key"] for each in open_uploads(bucket))

    run(bucket, tmp_path, "a.mp4", "small.mp4")
    assert left() == sorted([*tries, *others, "out.mp4", "out.mp4"]), "they may still be alive"
    run(bucket, tmp_path, "a.mp4", "small.mp4", upload_lifetime=0.0)
    assert left() == sorted([*tries, *others])
    inputs = [MergeInput(name, S3Location(bucket.name, name)) for name in ("a.mp4", "small.mp4")]
    target, storage = S3Location(bucket.name, "nodes/joined/third/video.mp4"), Storage(bucket.client)
    merge(inputs, target, tmp_path, storage=storage, ffmpeg=FFMPEG, folder="nodes/joined/", upload_lifetime=0.0)
    assert left() == others


def test_many_uploads_left_open_are_all_cleaned_up(bucket: Bucket) -> None:
    for _ in range(5):
        bucket.client.create_multipart_upload(Bucket=bucket.name, Key="out.mp4")
    pages = 0

    def two_at_once(params: dict[str, Any], **_: Any) -> None:
        nonlocal pages
        pages += 1
        params["MaxUploads"] = 2

    bucket.client.meta.events.register("provide-client-params.s3.ListMultipartUploads", two_at_once)
    assert abort_abandoned(bucket.client, S3Location(bucket.name, "out.mp4"), lifetime=0.0) == 5
    assert pages >= 3
    assert open_uploads(bucket) == []


def test_uploads_left_open_are_cleaned_up_before_an_encoded_video_is_sent(bucket: Bucket, tmp_path: Path) -> None:
    bucket.client.create_multipart_upload(Bucket=bucket.name, Key="out.mp4")
    run(bucket, tmp_path, "a.mp4", method="reencode-all", upload_lifetime=0.0)
    assert open_uploads(bucket) == []


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (503, "SlowDown")])
def test_who_may_not_clean_up_merges_all_the_same(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, code: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the pauses between the SDK's attempts
    asked = answered(bucket, "ListMultipartUploads", status, code)
    merged = run(bucket, tmp_path, "a.mp4", "b.mp4")
    assert asked() > 0
    assert bucket.head("out.mp4")["ContentLength"] == merged.size


def test_small_clips_cost_no_look_at_open_uploads(bucket: Bucket, tmp_path: Path) -> None:
    asked = answered(bucket, "ListMultipartUploads", 403, "AccessDenied")
    run(bucket, tmp_path, "small.mp4", "small.mp4")
    assert asked() == 0


# -- sizes


@pytest.mark.parametrize("size", [2 * LEAST_PART - 1, 2 * LEAST_PART, 2 * LEAST_PART + 1, 3 * LEAST_PART - 1])
@pytest.mark.parametrize("head", [10, LEAST_PART - 1, LEAST_PART, LEAST_PART + 1])
def test_objects_around_the_least_size_of_a_part_are_whole(bucket: Bucket, size: int, head: int) -> None:
    bucket.put("raw", os.urandom(MIB) * 16)
    source = S3Object(bucket.client, bucket.name, "raw")
    pieces: list[Piece] = [Bytes(b"h" * head), Range(0, 100, size - head - 3), Range(0, 7, 3)]
    moved = write_object(bucket.client, pieces, [source], S3Location(bucket.name, "made"))
    expected = VirtualFile("made", pieces, [source]).read(0, size)
    assert bucket.get("made") == expected
    assert moved.size == moved.written + moved.copied == size
    assert not open_uploads(bucket)


def test_10_001_parts_are_refused_before_anything_is_opened(bucket: Bucket) -> None:
    source = S3Object(bucket.client, bucket.name, "a.mp4")
    pieces: list[Piece] = [Range(0, 8, LEAST_PART)] * 10_001
    with pytest.raises(MediaError, match=r"would need 10,001 parts, and S3 takes 10,000; merge in several steps"):
        write_object(bucket.client, pieces, [source], S3Location(bucket.name, "out.mp4"))
    assert untouched(bucket)


def test_a_full_disk_is_said_in_one_sentence_and_leaves_the_earlier_file(
    clips: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "out.mp4").write_bytes(b"before")
    source = LocalFile(clips[0])
    with source, monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        patched.setattr(os, "copy_file_range", full)
        with pytest.raises(OperatorError, match=r"The disk is full, so .*out\.mp4 can't be written\. Make room"):
            write_file([Bytes(b"head"), Range(0, 8, 100)], [source], tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_a_missing_folder_is_said_in_one_sentence(clips: list[Path], tmp_path: Path) -> None:
    inputs = [MergeInput(clip.name, clip) for clip in clips[:2]]
    with pytest.raises(OperatorError, match=r"out\.mp4 can't be written: No such file or directory"):
        merge(inputs, tmp_path / "none" / "out.mp4", tmp_path, ffmpeg=FFMPEG)
    assert list(tmp_path.iterdir()) == []
