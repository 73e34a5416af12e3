"""The merger's contract with callers outside this project, on the function as it runs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import pytest

from local_cloud.functions import NAMES
from local_cloud.handle import CloudHandle
from tests.unit.media.clips import make_clip
from tests.unit.webhooks.test_callbacks import Receiver
from video_production.media.probe import probe
from video_production.webhooks.callbacks import SIGNATURE_HEADER, verify


@pytest.fixture(scope="session")
def clips(cloud: CloudHandle, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("clips")
    s3 = cloud.client("s3")
    make_clip(folder / "a.mp4", seconds=1.0)
    make_clip(folder / "b.mp4", seconds=0.6, sample_rate=None)
    make_clip(folder / "large.mp4", seconds=0.4, size=(640, 360), sample_rate=None)
    (folder / "text.mp4").write_text("This is no video.")
    for path in sorted(folder.iterdir()):
        s3.upload_file(str(path), "videos", path.name)
    return ["s3://videos/a.mp4", "s3://videos/b.mp4"]


def call(cloud: CloudHandle, event: dict[str, Any]) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(FunctionName=NAMES.function("merger"), Payload=json.dumps(event).encode())
    payload: dict[str, Any] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, payload
    return payload


def event(inputs: list[str], key: str, **more: Any) -> dict[str, Any]:
    return {"input_videos": inputs, "output_bucket": "videos", "output_key": key, **more}


def test_the_answer_has_exactly_the_promised_fields(cloud: CloudHandle, clips: list[str], tmp_path: Path) -> None:
    answer = call(cloud, event(clips, "out/one.mp4"))
    assert sorted(answer) == [
        "bytes_copied",
        "bytes_read",
        "bytes_written",
        "duration",
        "method",
        "reason",
        "s3_key",
        "size",
        "statusCode",
    ]
    assert (answer["statusCode"], answer["s3_key"]) == (200, "out/one.mp4")
    assert answer["method"] == "splice"
    assert answer["reason"] == "All 2 videos are encoded alike, so picture and sound were copied without re-encoding."
    assert (answer["bytes_written"], answer["bytes_copied"]) == (answer["size"], 0)
    assert 0 < answer["bytes_read"] < 4 * answer["size"]
    cloud.client("s3").download_file("videos", "out/one.mp4", str(tmp_path / "one.mp4"))
    info = probe(tmp_path / "one.mp4")
    assert answer["size"] == info.size
    assert answer["duration"] == pytest.approx(1.6, abs=0.002)
    assert float(info.duration) == pytest.approx(1.6, abs=0.03)


def test_the_answer_says_what_was_re_encoded_and_what_had_to_move(cloud: CloudHandle, clips: list[str]) -> None:
    answer = call(cloud, event([*clips, "s3://videos/large.mp4"], "out/mixed.mp4"))
    assert answer["statusCode"] == 200
    assert answer["method"] in ("reencode-some", "reencode-all")
    assert "large.mp4 (640×360" in answer["reason"]
    assert answer["bytes_read"] > 0
    assert answer["bytes_written"] + answer["bytes_copied"] == answer["size"]


@pytest.mark.parametrize(
    ("changes", "error_type", "sentence"),
    [
        (
            {"input_videos": ["s3://videos/nope.mp4"]},
            "MediaError",
            "s3://videos/nope.mp4 does not exist. Check the bucket and the key.",
        ),
        ({"input_videos": ["videos/a.mp4"]}, "RequestError", "'videos/a.mp4' is not an S3 URL; write s3://bucket/key."),
        (
            {"input_videos": "s3://videos/a.mp4"},
            "RequestError",
            "input_videos: give a list of S3 URLs (s3://bucket/key).",
        ),
        ({"input_videos": []}, "RequestError", "input_videos: 0 videos; 1 to 200 can be merged."),
        (
            {"output_key": ""},
            "RequestError",
            "output_bucket and output_key: name the object that the merged video becomes.",
        ),
        (
            {"callback_url": "https://evil.example.com/"},
            "RequestError",
            "callback_url: the host 'evil.example.com' is not on the list of allowed callback hosts; "
            "ask the operator to add it.",
        ),
    ],
)
def test_the_callers_mistakes_are_answered_with_400(
    cloud: CloudHandle, clips: list[str], changes: dict[str, Any], error_type: str, sentence: str
) -> None:
    answer = call(cloud, event(clips, "out/never.mp4") | changes)
    assert answer == {"statusCode": 400, "error_type": error_type, "error": sentence}


def test_a_file_that_is_no_video_leaves_the_earlier_object_alone(cloud: CloudHandle, clips: list[str]) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket="videos", Key="out/kept.mp4", Body=b"before")
    answer = call(cloud, event([clips[0], "s3://videos/text.mp4"], "out/kept.mp4"))
    assert (answer["statusCode"], answer["error_type"]) == (400, "MediaError")
    assert answer["error"].startswith("text.mp4 holds text, not media")
    assert s3.get_object(Bucket="videos", Key="out/kept.mp4")["Body"].read() == b"before"


def test_nothing_is_left_in_tmp(cloud: CloudHandle, clips: list[str]) -> None:
    call(cloud, event(clips, "out/tidy.mp4"))
    call(cloud, event([clips[0], "s3://videos/text.mp4"], "out/tidy.mp4"))
    left = [path for path in (cloud.home / "sandboxes").rglob("*") if path.suffix in (".mp4", ".wav", ".pcm")]
    assert left == []
    assert not list((cloud.home / "sandboxes").rglob("merge-*"))


def test_two_identical_calls_at_once_make_one_good_object(cloud: CloudHandle, clips: list[str], tmp_path: Path) -> None:
    """Two processes merge into one key. Whoever reads it meanwhile sees the object before, or a whole one."""
    s3, seen, over = cloud.client("s3"), set(), threading.Event()
    s3.put_object(Bucket="videos", Key="out/twice.mp4", Body=b"before")

    def read() -> None:
        while not over.is_set():
            seen.add(hashlib.sha256(s3.get_object(Bucket="videos", Key="out/twice.mp4")["Body"].read()).hexdigest())

    reader = threading.Thread(target=read)
    reader.start()
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: call(cloud, event(clips, "out/twice.mp4")), range(2)))
    over.set()
    reader.join()
    assert [answer["statusCode"] for answer in answers] == [200, 200]
    s3.download_file("videos", "out/twice.mp4", str(tmp_path / "twice.mp4"))
    made = (tmp_path / "twice.mp4").read_bytes()
    assert len(made) in [answer["size"] for answer in answers]
    with av.open(str(tmp_path / "twice.mp4")) as video:
        seconds = sum(1 for _ in video.decode(video=0)) / float(video.streams.video[0].average_rate or 0)
    assert seconds == pytest.approx(1.6, abs=0.05)
    assert hashlib.sha256(b"before").hexdigest() in seen
    assert len(seen) <= 3  # the one before, and what each of the two made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver([200]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_callback_tells_the_result_signed(cloud: CloudHandle, clips: list[str], receiver: Receiver) -> None:
    identity = {"node_uuid": "n-1", "executor_type": "merge-videos", "process_uuid": "p-1"}
    answer = call(cloud, event(clips, "out/told.mp4", callback_url=receiver.url, **identity))
    [(headers, body)] = receiver.got
    result = {name: answer[name] for name in ("s3_key", "duration", "size")}
    assert json.loads(body) == {**identity, "result": result}
    stamp = int(headers[SIGNATURE_HEADER].split(",")[0].removeprefix("t="))
    assert verify(body, headers[SIGNATURE_HEADER], "local-callback-secret", now=stamp)


def test_the_callback_tells_a_failure(cloud: CloudHandle, receiver: Receiver) -> None:
    call(cloud, event(["s3://videos/nope.mp4", "s3://videos/nope.mp4"], "out/x.mp4", callback_url=receiver.url))
    [(_, body)] = receiver.got
    told = json.loads(body)
    assert told["error_type"] == "MediaError"
    assert "does not exist" in told["error"]


def test_a_receiver_that_is_down_does_not_change_the_answer(cloud: CloudHandle, clips: list[str]) -> None:
    answer = call(cloud, event(clips, "out/deaf.mp4", callback_url="http://127.0.0.1:9/none"))
    assert answer["statusCode"] == 200


def test_the_function_runs_in_another_process_than_the_caller_and_logs_it(cloud: CloudHandle, clips: list[str]) -> None:
    call(cloud, event(clips, "out/logged.mp4"))
    logs = cloud.client("logs")
    group = NAMES.function_log_group("merger")

    def messages() -> list[str]:
        return [entry["message"] for entry in logs.filter_log_events(logGroupName=group)["events"]]

    for _ in range(50):
        if any(message.startswith("REPORT") for message in messages()):
            break
        threading.Event().wait(0.1)
    assert any(message.startswith("START RequestId") for message in messages())
    assert any("Max Memory Used" in message for message in messages())
