"""Following an operation to its film, and finding the film without the operation."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from tests.unit.providers.scripted import Provider, hang_up, reply
from tests.unit.providers.veo3.conftest import MODEL, OPERATION, PREFIX, Access, film
from video_production.errors import ProviderJobFailed, ProviderUnreachable
from video_production.providers.interface import Made, Progress, Unknown
from video_production.providers.veo3 import Veo
from video_production.storage import Storage

NAME = f"{PREFIX}17/sample_0.mp4"
ADDRESS = f"gs://films/{NAME}"
DONE = Progress("completed", "done", result={"film": ADDRESS})
GONE = Progress("completed", "no longer known", result={"film": ""})
OBJECT_PATH = "/storage/v1/b/films/o/takes%2Ft1%2Fa1%2F17%2Fsample_0.mp4"


def described(content: bytes | None = None, **changes: Any) -> dict[str, Any]:
    data = film() if content is None else content
    md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
    return {"name": NAME, "size": str(len(data)), "md5Hash": md5, "contentType": "video/mp4"} | changes


def listing(*items: dict[str, Any], **more: Any) -> Any:
    return reply(200, ({"items": list(items)} if items else {}) | more)


class TestCheck:
    @pytest.mark.parametrize(
        ("answer", "progress"),
        [
            ({"name": OPERATION}, Progress("running", "running")),
            ({"name": OPERATION, "done": False}, Progress("running", "running")),
            ({"done": True, "response": {"videos": [{"gcsUri": ADDRESS}], "raiMediaFilteredCount": 0}}, DONE),
            ({"done": True, "response": {}}, Progress("completed", "done", result={"film": ""})),
            ({"done": True, "response": {"videos": []}}, Progress("completed", "done", result={"film": ""})),
            ({"done": True, "response": {"videos": ["odd", {}]}}, Progress("completed", "done", result={"film": ""})),
        ],
    )
    def test_an_operation_runs_until_it_is_done(
        self, veo: Veo, provider: Provider, answer: dict[str, Any], progress: Progress
    ) -> None:
        provider.answers(reply(200, answer))
        assert veo.check(OPERATION) == progress
        assert provider.paths() == [f"POST /v1/{MODEL}:fetchPredictOperation"]
        assert provider.received[0].body == {"operationName": OPERATION}

    @pytest.mark.parametrize(
        "response",
        [
            {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["It violates the guidelines."]},
            {"videos": [], "raiMediaFilteredReasons": ["It violates the guidelines."]},
        ],
    )
    def test_a_film_that_was_held_back_is_no_success(
        self, veo: Veo, provider: Provider, response: dict[str, Any]
    ) -> None:
        provider.answers(reply(200, {"done": True, "response": response}))
        progress = veo.check(OPERATION)
        assert (progress.state, progress.failure_code, progress.charged) == ("failed", "filtered", None)
        assert "held the film back (It violates the guidelines)" in progress.failure

    def test_a_failed_operation_was_not_charged(self, veo: Veo, provider: Provider) -> None:
        provider.answers(reply(200, {"done": True, "error": {"code": 13, "message": "Internal error."}}))
        progress = veo.check(OPERATION)
        assert (progress.state, progress.failure_code, progress.charged) == ("failed", "INTERNAL", False)

    def test_an_operation_that_is_gone_is_looked_for_in_the_bucket(self, veo: Veo, provider: Provider) -> None:
        provider.answers(reply(404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "gone"}}))
        assert veo.check(OPERATION) == GONE

    def test_a_film_that_a_person_found_is_done(self, veo: Veo, provider: Provider) -> None:
        progress = veo.check(ADDRESS)
        assert (progress.state, progress.result) == ("completed", {"film": ADDRESS})
        assert provider.received == []

    @pytest.mark.parametrize("name", ["0b1c", "projects/p/operations/1", f"{OPERATION}/../x", "gs://films"])
    def test_what_is_no_operation_is_not_asked_about(self, veo: Veo, provider: Provider, name: str) -> None:
        with pytest.raises(ProviderJobFailed, match="neither an operation of Vertex AI") as caught:
            veo.check(name)
        assert caught.value.http_status == 404
        assert provider.received == []

    def test_trouble_is_repeated_and_then_left_to_the_next_look(self, veo: Veo, provider: Provider) -> None:
        provider.answers(reply(503, {}), hang_up, reply(200, {"name": OPERATION}))
        assert veo.check(OPERATION).state == "running"
        provider.answers(reply(200, b"<html>"))
        with pytest.raises(ProviderUnreachable, match="unreadable"):
            veo.check(OPERATION)

    def test_a_token_that_is_refused_is_fetched_anew(self, veo: Veo, provider: Provider, access: Access) -> None:
        provider.answers(reply(401, {}))
        with pytest.raises(ProviderUnreachable):
            veo.check(OPERATION)
        assert access.forgotten == 1


class TestCollect:
    def test_the_film_is_checked_and_stored(
        self, veo: Veo, provider: Provider, attempt: Any, storage: Storage, bucket: str
    ) -> None:
        provider.answers(reply(200, described()), reply(200, film(), content_type="video/mp4"))
        made = veo.collect(OPERATION, DONE, attempt())
        assert (made.type, made.s3_key, made.external_id) == ("video", f"{PREFIX}clip.mp4", OPERATION)
        assert made.duration == pytest.approx(0.5, abs=0.03)
        assert made.cost == veo.price(attempt().request)
        assert storage.read(bucket, made.s3_key) == film()
        assert [path.partition("?")[0] for path in provider.paths()] == [f"GET {OBJECT_PATH}"] * 2

    @pytest.mark.parametrize(
        ("content", "size", "words"),
        [
            (film()[:-300], len(film()), "cut off"),
            (film()[:-1] + b"\0", None, "damaged on its way"),
        ],
    )
    def test_a_film_that_is_not_what_the_bucket_holds_is_fetched_again(
        self, veo: Veo, provider: Provider, attempt: Any, content: bytes, size: int | None, words: str
    ) -> None:
        provider.answers(reply(200, described()), reply(200, content))
        with pytest.raises(ProviderUnreachable, match=words):
            veo.collect(OPERATION, DONE, attempt())

    @pytest.mark.parametrize("content", [b"<html>", film()[: len(film()) // 2]])
    def test_what_is_no_whole_film_is_never_stored(
        self, veo: Veo, provider: Provider, attempt: Any, storage: Storage, bucket: str, content: bytes
    ) -> None:
        provider.answers(reply(200, described(content)), reply(200, content))
        with pytest.raises(ProviderUnreachable, match="not whole"):
            veo.collect(OPERATION, DONE, attempt())
        assert storage.list(bucket, PREFIX) == []

    def test_the_film_of_an_operation_that_is_gone_comes_from_the_bucket(
        self, veo: Veo, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(listing(described()), reply(200, described()), reply(200, film()))
        assert veo.collect(OPERATION, GONE, attempt()).external_id == OPERATION

    def test_an_operation_that_is_gone_without_a_film_is_over(self, veo: Veo, provider: Provider, attempt: Any) -> None:
        provider.answers(listing())
        with pytest.raises(ProviderJobFailed, match="no longer known, and the bucket holds no film"):
            veo.collect(OPERATION, GONE, attempt())

    @pytest.mark.parametrize(("status", "words"), [(404, "Check the bucket in VEO3_BUCKET"), (403, "may not read gs")])
    def test_a_bucket_that_can_not_be_read_is_explained(
        self, veo: Veo, provider: Provider, attempt: Any, status: int, words: str
    ) -> None:
        provider.answers(reply(status, {}))
        with pytest.raises(ProviderUnreachable, match=words):
            veo.collect(OPERATION, DONE, attempt())


class TestFind:
    def test_a_film_below_the_attempts_prefix_is_its_result(self, veo: Veo, provider: Provider, attempt: Any) -> None:
        provider.answers(listing(described()), reply(200, described()), reply(200, film()))
        found = veo.find(attempt(), frozenset())
        assert isinstance(found, Made)
        assert found.external_id is None
        assert "prefix=takes%2Ft1%2Fa1%2F" in provider.paths()[0]

    @pytest.mark.parametrize(
        ("items", "words"),
        [
            ((), "holds no film, which does not prove"),
            (({"name": f"{PREFIX}notes.txt"},), "holds no film"),
            ((described(), described(name=f"{PREFIX}17/sample_1.mp4")), "holds 2 films"),
        ],
    )
    def test_everything_else_proves_nothing(
        self, veo: Veo, provider: Provider, attempt: Any, items: tuple[Any, ...], words: str
    ) -> None:
        provider.answers(listing(*items))
        found = veo.find(attempt(), frozenset())
        assert isinstance(found, Unknown)
        assert words in found.why

    def test_a_long_listing_is_read_to_its_end(self, veo: Veo, provider: Provider, attempt: Any) -> None:
        provider.answers(listing(nextPageToken="n"), listing(described()), reply(200, described()), reply(200, film()))
        assert isinstance(veo.find(attempt(), frozenset()), Made)
        assert "pageToken=n" in provider.paths()[1]

    def test_a_bucket_that_can_not_be_listed_is_asked_again_later(
        self, veo: Veo, provider: Provider, attempt: Any
    ) -> None:
        provider.answers(reply(503, {}))
        with pytest.raises(ProviderUnreachable):
            veo.find(attempt(), frozenset())
