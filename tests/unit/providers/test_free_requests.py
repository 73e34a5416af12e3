"""Free requests that send something: JSON, or a file as a form."""

from __future__ import annotations

import io
from email import message_from_bytes
from email.message import Message

import pytest

from tests.unit.providers.scripted import Provider, hang_up, reply
from video_production.errors import ProviderUnreachable
from video_production.providers.form import write_form
from video_production.providers.http import Explanation, ProviderHttp

FREE = {"explain": lambda status, content: Explanation("Acme said no.")}


@pytest.fixture
def http() -> ProviderHttp:
    return ProviderHttp("acme", "Acme", sleep=lambda seconds: None)


def test_json_is_sent_and_sent_again_where_that_may_help(http: ProviderHttp, provider: Provider) -> None:
    provider.answers(hang_up, reply(503), reply(200, {"ok": True}))
    assert http.free_request(provider.url, method="POST", body={"name": "slide.png"}, **FREE).status == 200
    assert [(sent.method, sent.body) for sent in provider.received] == [("POST", {"name": "slide.png"})] * 3


def test_something_is_deleted(http: ProviderHttp, provider: Provider) -> None:
    provider.answers(reply(204, b""))
    assert http.free_request(provider.url + "/job", method="DELETE", **FREE).status == 204
    assert provider.paths() == ["DELETE /job"]
    provider.answers(reply(404))
    with pytest.raises(ProviderUnreachable, match="Acme said no"):
        http.free_request(provider.url, method="DELETE", **FREE)


def test_a_file_is_sent_as_a_form_from_its_start_each_time(http: ProviderHttp, provider: Provider) -> None:
    provider.answers(reply(503), reply(200))
    content = bytes(range(256)) * 5
    with io.BytesIO() as form:
        kind = write_form(
            form,
            {"key": "a/b", "policy": "züri=="},
            io.BytesIO(content),
            name="file",
            file_name='a "slide".png',
            content_type="image/png",
        )
        http.free_request(provider.url, method="POST", data=form, headers={"Content-Type": kind}, **FREE)
    first, second = provider.received
    assert first.body == second.body
    fields = form_of(second.headers["Content-Type"], second.body)
    assert [(field["name"], field["file"], field["content"]) for field in fields] == [
        ("key", None, b"a/b"),
        ("policy", None, "züri==".encode()),
        ("file", "a %22slide%22.png", content),
    ]


def form_of(content_type: str, body: bytes) -> list[dict[str, object]]:
    """A form, read by Python's own reader of MIME."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    fields = []
    for part in parts:
        assert isinstance(part, Message)
        name = part.get_param("name", header="content-disposition")
        fields.append({"name": name, "file": part.get_filename(), "content": part.get_payload(decode=True)})
    return fields
