"""Conformance: Google's own SDK talks to the stand-in as to Vertex AI."""

from __future__ import annotations

import base64
import io
import time
from pathlib import Path
from typing import Any

import av
import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

from stand_ins.running import RunningStandIn
from tests.integration.veo3.conftest import MODEL
from video_production.providers.veo3.requests import FirstFrame, effective_config, submit_body


def finished(sdk: genai.Client, operation: types.GenerateVideosOperation) -> types.GenerateVideosOperation:
    deadline = time.monotonic() + 60
    while not operation.done:
        assert time.monotonic() < deadline, "the operation does not end"
        time.sleep(0.1)
        operation = sdk.operations.get(operation)
    return operation


def generate(sdk: genai.Client, prompt: str, *, image: bytes | None = None, model: str = MODEL, **config: Any) -> Any:
    picture = types.Image(image_bytes=image, mime_type="image/png") if image else None
    return sdk.models.generate_videos(
        model=model,
        source=types.GenerateVideosSource(prompt=prompt, image=picture),
        config=types.GenerateVideosConfig(number_of_videos=1, duration_seconds=4, **config),
    )


def test_an_operation_ends_with_a_film_in_the_bucket(
    sdk: genai.Client, vertex: RunningStandIn, ask: Any, prompt: str, tmp_path: Path
) -> None:
    operation = generate(
        sdk,
        prompt,
        output_gcs_uri="gs://films/takes/1/",
        aspect_ratio="9:16",
        resolution="720p",
        person_generation="allow_adult",
        generate_audio=True,
        seed=7,
        negative_prompt="rain",
        labels={"attempt": "a1"},
    )
    assert operation.name
    assert not operation.done
    ended = finished(sdk, operation)
    assert ended.error is None
    assert ended.response is not None
    assert ended.response.rai_media_filtered_count == 0
    (generated,) = ended.response.generated_videos or []
    assert generated.video is not None
    assert generated.video.mime_type == "video/mp4"
    assert generated.video.uri is not None
    bucket, _, name = generated.video.uri.removeprefix("gs://").partition("/")
    assert (bucket, name[:8]) == ("films", "takes/1/")
    (item,) = ask("GET", f"/storage/v1/b/{bucket}/o", params={"prefix": name}).json()["items"]
    content = ask("GET", f"/storage/v1/b/{bucket}/o/{name.replace('/', '%2F')}", params={"alt": "media"}).content
    assert int(item["size"]) == len(content)
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with av.open(str(path)) as film:
        picture, sound = film.streams.video[0], film.streams.audio[0]
        assert (picture.width, picture.height, picture.average_rate) == (720, 1280, 24)
        assert sum(1 for _ in film.decode(picture)) == 96
        assert (sound.rate, sound.channels) == (48000, 2)
    (charge,) = [row for row in vertex.charges() if row.external_id == operation.name]
    assert (charge.quantity, charge.unit, charge.model, charge.usd) == (4, "seconds", MODEL, pytest.approx(1.6))


def test_a_film_may_come_in_the_answer(sdk: genai.Client, prompt: str) -> None:
    ended = finished(sdk, generate(sdk, prompt, generate_audio=False))
    assert ended.response is not None
    assert ended.response.generated_videos
    video = ended.response.generated_videos[0].video
    assert video is not None
    assert video.uri is None
    assert (video.video_bytes or b"")[4:8] == b"ftyp"


def test_a_film_starts_from_the_picture_that_it_is_given(sdk: genai.Client, prompt: str, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (320, 180), (250, 250, 40)).save(file, "PNG")
    ended = finished(sdk, generate(sdk, prompt, image=file.getvalue(), resize_mode="PAD"))
    assert ended.response is not None
    assert ended.response.generated_videos
    video = ended.response.generated_videos[0].video
    assert video is not None
    path = tmp_path / "film.mp4"
    path.write_bytes(video.video_bytes or b"")
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0)).to_ndarray(format="rgb24")
    red, green, blue = frame[600, 1200]
    assert red > 120
    assert green > 120
    assert blue < 90


def test_a_film_that_is_held_back_is_a_success_without_a_film(
    sdk: genai.Client, vertex: RunningStandIn, prompt: str
) -> None:
    vertex.misbehave({"on": "submit", "do": "fail-job", "reason": "filtered"})
    ended = finished(sdk, generate(sdk, prompt))
    assert ended.error is None
    assert ended.response is not None
    assert not ended.response.generated_videos
    assert ended.response.rai_media_filtered_count == 1
    assert "Support codes" in (ended.response.rai_media_filtered_reasons or [""])[0]
    assert all(row.external_id != ended.name for row in vertex.charges())


def test_an_operation_may_fail(sdk: genai.Client, vertex: RunningStandIn, prompt: str) -> None:
    vertex.misbehave({"on": "submit", "do": "fail-job", "reason": "RESOURCE_EXHAUSTED", "message": "High load."})
    ended = finished(sdk, generate(sdk, prompt))
    assert ended.error == {"code": 8, "message": "High load."}
    assert all(row.external_id != ended.name for row in vertex.charges())


@pytest.mark.parametrize(
    ("model", "config", "code", "words"),
    [
        ("veo-3.0-generate-001", {}, 404, "is no longer available"),
        ("veo-9", {}, 404, "was not found"),
        (MODEL, {"aspect_ratio": "4:3"}, 400, "aspectRatio"),
        (MODEL, {"output_gcs_uri": "s3://films/"}, 400, "storageUri"),
        ("veo-3.1-lite-generate-001", {"resolution": "1080p"}, 400, "Unsupported resolution"),
    ],
)
def test_what_can_not_be_made_is_refused_in_googles_form(
    sdk: genai.Client, vertex: RunningStandIn, prompt: str, model: str, config: dict[str, Any], code: int, words: str
) -> None:
    with pytest.raises(errors.ClientError, match=words) as caught:
        generate(sdk, prompt, model=model, **config)
    assert caught.value.code == code
    assert caught.value.status in ("INVALID_ARGUMENT", "NOT_FOUND")


def test_a_used_up_quota_is_told_as_google_tells_it(sdk: genai.Client, vertex: RunningStandIn, prompt: str) -> None:
    vertex.change_plan(concurrency=0)
    with pytest.raises(errors.ClientError, match="Quota exceeded") as caught:
        generate(sdk, prompt)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


def test_a_picture_of_another_kind_is_refused(ask: Any, vertex: RunningStandIn) -> None:
    image = {"bytesBase64Encoded": base64.b64encode(b"GIF89a").decode(), "mimeType": "image/gif"}
    path = f"/v1/projects/drafts/locations/us-central1/publishers/google/models/{MODEL}:predictLongRunning"
    answer = ask("POST", path, {"instances": [{"prompt": "x", "image": image}]})
    assert answer.status_code == 400
    assert "Unsupported MIME type" in answer.json()["error"]["message"]


def test_the_module_asks_in_the_words_of_the_sdk(sdk: genai.Client, vertex: RunningStandIn, prompt: str) -> None:
    """Vertex AI passes over fields that it does not know, so a misspelt one would be noticed by nobody."""
    with io.BytesIO() as file:
        Image.new("RGB", (64, 36), "teal").save(file, "PNG")
        picture = file.getvalue()
    asked = {"duration": 4, "model": MODEL, "seed": 7, "negativePrompt": "rain", "resolution": "1080p"}
    config = effective_config("generate-animation", asked, model="")
    generate(
        sdk,
        prompt,
        image=picture,
        output_gcs_uri="gs://films/takes/1/",
        aspect_ratio=config["aspectRatio"],
        resolution=config["resolution"],
        person_generation=config["personGeneration"],
        generate_audio=config["generateAudio"],
        seed=config["seed"],
        negative_prompt=config["negativePrompt"],
        labels={"attempt": "a1"},
    )
    frame = FirstFrame(picture, "image/png")
    body = submit_body(config, prompt, storage_uri="gs://films/takes/1/", attempt="a1", image=frame)
    body["instances"][0]["image"]["bytesBase64Encoded"] = "..."  # as the log has pictures
    sent = [row["body"] for row in vertex.requests() if row["path"].endswith(":predictLongRunning")]
    assert body == sent[-1]
