"""What the stand-in can be told to do wrong, and what it keeps through a kill."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import requests

from stand_ins.running import RunningStandIn
from tests.integration.veo3.conftest import MODEL, bearer

PLACE = f"/v1/projects/drafts/locations/us-central1/publishers/google/models/{MODEL}"
DROPPED = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


def body(prompt: str, prefix: str = "t") -> dict[str, Any]:
    parameters = {"durationSeconds": 4, "storageUri": f"gs://films/{prefix}/", "generateAudio": False}
    return {"instances": [{"prompt": prompt}], "parameters": parameters}


def start(ask: Any, prompt: str, prefix: str = "t") -> str:
    return str(ask("POST", f"{PLACE}:predictLongRunning", body(prompt, prefix)).json()["name"])


def ended(ask: Any, operation: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer: dict[str, Any] = ask("POST", f"{PLACE}:fetchPredictOperation", {"operationName": operation}).json()
        if answer.get("done"):
            return answer
        time.sleep(0.1)
    raise AssertionError("the operation does not end")


def listed(ask: Any, prefix: str) -> list[dict[str, Any]]:
    return list(ask("GET", "/storage/v1/b/films/o", params={"prefix": f"{prefix}/"}).json().get("items", []))


def test_nothing_is_said_without_a_good_token(ask: Any) -> None:
    for headers in ({}, {"Authorization": "Bearer ya29.9999999999.forged"}, {"Authorization": "Basic x"}):
        for method, path in (("POST", f"{PLACE}:predictLongRunning"), ("GET", "/storage/v1/b/films/o")):
            answer = ask(method, path, headers=headers)
            assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_an_assertion_of_somebody_else_buys_no_token(vertex: RunningStandIn) -> None:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}
    answer = requests.post(f"{vertex.url}/token", data=form, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_a_token_expires(tmp_path: Path) -> None:
    with RunningStandIn.start(tmp_path, "--token-seconds", "0", provider="veo3") as other:
        answer = requests.get(f"{other.url}/storage/v1/b/films", headers=bearer(other), timeout=10)
        assert answer.status_code == 401


def test_the_log_holds_no_assertion_and_no_picture(vertex: RunningStandIn, ask: Any, prompt: str) -> None:
    image = {"bytesBase64Encoded": "iVBORw0KGgo" * 1000, "mimeType": "image/png"}
    ask("POST", f"{PLACE}:predictLongRunning", {"instances": [{"prompt": prompt, "image": image}]})
    rows = vertex.requests()
    assert all(row["body"] is None for row in rows if row["path"] == "/token")
    assert len(str(rows[-1]["body"])) < 1000


def test_an_answer_may_be_lost_after_the_work_began(vertex: RunningStandIn, ask: Any, prompt: str) -> None:
    vertex.misbehave({"on": "submit", "do": "lose-answer", "match": prompt})
    with pytest.raises(DROPPED):
        start(ask, prompt, "lost")
    deadline = time.monotonic() + 30
    while not listed(ask, "lost"):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len([row for row in vertex.charges() if row.detail == "gs://films/lost/"]) == 1


def test_an_unbilled_refusal_does_nothing(vertex: RunningStandIn, ask: Any, prompt: str) -> None:
    vertex.misbehave({"on": "submit", "status": 429, "retry_after": 3})
    answer = ask("POST", f"{PLACE}:predictLongRunning", body(prompt, "refused"))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json()["error"]["status"] == "RESOURCE_EXHAUSTED"
    time.sleep(0.5)
    assert listed(ask, "refused") == []


def test_an_operation_may_never_end_and_counts_against_the_limit(
    vertex: RunningStandIn, ask: Any, prompt: str, tmp_path: Path
) -> None:
    vertex.misbehave({"on": "submit", "do": "never-finish"})
    operation = start(ask, prompt)
    vertex.change_plan(concurrency=1)
    assert ask("POST", f"{PLACE}:predictLongRunning", body(prompt)).status_code == 429
    time.sleep(0.6)
    assert "done" not in ask("POST", f"{PLACE}:fetchPredictOperation", {"operationName": operation}).json()


def test_a_download_may_break_off_and_a_listing_may_hide(vertex: RunningStandIn, ask: Any, prompt: str) -> None:
    vertex.misbehave({"on": "submit", "do": "hide-from-history"})
    answer = ended(ask, start(ask, prompt, "hidden"))
    assert listed(ask, "hidden") == []
    name = answer["response"]["videos"][0]["gcsUri"].removeprefix("gs://films/").replace("/", "%2F")
    vertex.misbehave({"on": "download", "do": "half-download"})
    with pytest.raises(DROPPED):
        _ = ask("GET", f"/storage/v1/b/films/o/{name}", params={"alt": "media"}).content
    assert ask("GET", f"/storage/v1/b/films/o/{name}", params={"alt": "media"}).content[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("plan", "status", "reason"),
    [
        ({"api": False}, 403, "SERVICE_DISABLED"),
        ({"limit_usd": 0.0}, 403, "BILLING_DISABLED"),
        ({"permissions": ["storage"]}, 403, None),
        ({"buckets": ["others"]}, 404, None),
    ],
)
def test_the_project_may_lack_what_is_needed(
    vertex: RunningStandIn, ask: Any, prompt: str, plan: dict[str, Any], status: int, reason: str | None
) -> None:
    vertex.change_plan(**plan)
    answer = ask("POST", f"{PLACE}:predictLongRunning", body(prompt))
    assert answer.status_code == status
    if reason:
        assert answer.json()["error"]["details"][0]["reason"] == reason


def test_an_operation_fails_where_vertex_may_not_write(vertex: RunningStandIn, ask: Any, prompt: str) -> None:
    vertex.change_plan(writable=False)
    assert ended(ask, start(ask, prompt))["error"]["code"] == 7


def test_a_long_listing_has_pages(vertex: RunningStandIn, ask: Any, prompt: str) -> None:
    two = body(prompt, "pages")
    two["parameters"]["sampleCount"] = 2
    ended(ask, str(ask("POST", f"{PLACE}:predictLongRunning", two).json()["name"]))
    names: list[str] = []
    query = {"prefix": "pages/", "maxResults": "1"}
    while True:
        page = ask("GET", "/storage/v1/b/films/o", params=query).json()
        names += [item["name"] for item in page.get("items", [])]
        if "nextPageToken" not in page:
            break
        query["pageToken"] = page["nextPageToken"]
    assert len(names) == len(set(names)) == 2


def test_a_kill_loses_nothing_and_bills_nothing_twice(tmp_path: Path) -> None:
    first = RunningStandIn.start(tmp_path, "--job-seconds", "2", provider="veo3")
    token = bearer(first)
    answer = requests.post(f"{first.url}{PLACE}:predictLongRunning", json=body("boat"), headers=token, timeout=10)
    first.kill()
    with RunningStandIn.start(tmp_path, provider="veo3") as again:

        def ask(method: str, path: str, content: Any = None) -> requests.Response:
            return requests.request(method, again.url + path, json=content, headers=token, timeout=10)

        assert ended(ask, answer.json()["name"])["response"]["videos"]
        assert len(again.charges()) == 1
    with RunningStandIn.start(tmp_path, provider="veo3") as third:
        assert len(third.charges()) == 1
