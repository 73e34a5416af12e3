"""What callers call objects: refused where S3 knows no such name, and never the name of anything else on this disk."""

from __future__ import annotations

import pytest

from video_production.errors import RequestError
from video_production.storage import S3Location, file_name, parse_s3_url, s3_location


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("s3://videos/a.mp4", "a.mp4"),
        ("s3://videos/-i", "-i"),
        ("s3://videos/Lesson 1/ä ö.mp4", "Lesson 1/ä ö.mp4"),
        ("s3://videos//a", "/a"),
        ("s3://videos/" + "k" * 1024, "k" * 1024),
    ],
)
def test_an_object_may_be_called_what_s3_allows(url: str, key: str) -> None:
    assert parse_s3_url(url) == S3Location("videos", key)


@pytest.mark.parametrize(
    "url",
    [
        "s3://arn:aws:s3:us-east-1:123456789012:accesspoint:other/a.mp4",
        "s3://../a.mp4",
        "s3://vi deos/a.mp4",
        "s3://videos@evil/a.mp4",
        "s3://videos",
        "s3:///a.mp4",
        "https://videos/a.mp4",
        "s3://videos/" + "k" * 1025,
        "s3://videos/" + "ä" * 513,
        "s3://videos/\ud800.mp4",
        "s3://videos/a\0.mp4",
    ],
)
def test_what_s3_can_not_hold_is_the_callers_mistake(url: str) -> None:
    with pytest.raises(RequestError):
        parse_s3_url(url)


def test_a_bucket_and_a_key_are_looked_at_alike() -> None:
    assert s3_location("videos", "out.mp4") == S3Location("videos", "out.mp4")
    with pytest.raises(RequestError, match="bucket"):
        s3_location("arn:aws:s3:us-east-1:123456789012:accesspoint:other", "out.mp4")
    with pytest.raises(RequestError, match="1024 bytes"):
        s3_location("videos", "k" * 1025)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("lessons/1/Intro.mp4", "Intro.mp4"),
        ("lessons/..", "file"),
        ("..", "file"),
        ("a/.", "a"),
        ("/", "file"),
        ("x/" + "n" * 1000 + ".mp4", "n" * 196 + ".mp4"),
        ("ä" * 300 + ".mp4", "ä" * 98 + ".mp4"),
    ],
)
def test_a_copy_of_an_object_stays_in_its_folder_under_a_name_that_fits(key: str, name: str) -> None:
    assert file_name(key) == name
