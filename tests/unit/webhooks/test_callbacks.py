"""Callbacks: signed, to allowed hosts only, repeated a little."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from video_production.errors import RequestError, TransientError
from video_production.webhooks.callbacks import SIGNATURE_HEADER, check_callback_url, post_callback, sign, verify

HOSTS = ("127.0.0.1", "app.example.com")


class Receiver(HTTPServer):
    """Answers with `statuses` in order (the last one for ever) and keeps what it got."""

    def __init__(self, statuses: list[int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = statuses
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/done"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        return


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver([200]) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def send(receiver: Receiver) -> None:
    post_callback(receiver.url, {"node_uuid": "n"}, hosts=HOSTS, secret="s", clock=lambda: 1000.9, sleep=lambda _: None)


def test_a_callback_is_json_that_its_signature_covers(receiver: Receiver) -> None:
    send(receiver)
    [(headers, body)] = receiver.got
    assert json.loads(body) == {"node_uuid": "n"}
    assert headers[SIGNATURE_HEADER] == sign(body, "s", 1000)
    assert verify(body, headers[SIGNATURE_HEADER], "s", now=1010)


def test_a_receiver_that_stumbles_is_asked_again(receiver: Receiver) -> None:
    receiver.statuses = [503, 500, 204]
    send(receiver)
    assert len(receiver.got) == 3


def test_a_receiver_that_refuses_is_given_up(receiver: Receiver) -> None:
    receiver.statuses = [404]
    with pytest.raises(TransientError, match="status 404"):
        send(receiver)
    assert len(receiver.got) == 3


@pytest.mark.parametrize(
    ("body", "header", "now"),
    [
        (b"{}", sign(b"{}", "other", 1000), 1000),
        (b"{ }", sign(b"{}", "s", 1000), 1000),
        (b"{}", sign(b"{}", "s", 1000), 1301),
        (b"{}", sign(b"{}", "s", 1000), 699),
        (b"{}", "t=1000", 1000),
        (b"{}", "", 1000),
        (b"{}", "t=ten,v1=00", 1000),
        (b"{}", "t=²,v1=00", 1000),
        (b"{}", f"t={'1' * 5000},v1=00", 1000),
    ],
)
def test_a_forged_changed_or_old_callback_is_not_believed(body: bytes, header: str, now: float) -> None:
    assert verify(body, header, "s", now) is False


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/",
        "http://app.example.com/",
        "https://app.example.com.evil.net/",
        "https://app.example.com@evil.net/",
        "ftp://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "app.example.com",
        "",
        "https://evil.net\\@app.example.com/",  # requests calls evil.net, urlsplit reads app.example.com
        "https://evil.net\\.app.example.com/",
        "https://app.exa\nmple.com/",
        "https://app.example.com\t@evil.net/",
        "https://someone:secret@app.example.com/",
        "https://evil.net%2f@app.example.com/",
        "https://app.example.com.:443/",
        "https://ａpp.example.com/",
        "https://app.example.com:99999/",
        "https://app.example.com:port/",
        "https://[::ffff:127.0.0.1]/",
        "https://[",
        "http://127.0.0.1\\@app.example.com/",
        "http://2130706433/",
    ],
)
def test_only_allowed_hosts_are_called_over_https(url: str) -> None:
    with pytest.raises(RequestError):
        check_callback_url(url, HOSTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com/merged?x=1",
        "https://app.example.com:8443/merged",
        "HTTPS://APP.example.com",
        "https://app.example.com?to=https://evil.net/",
        "https://app.example.com/a@b/#c",
    ],
)
def test_an_allowed_host_is_fine_and_is_the_one_that_is_called(url: str) -> None:
    check_callback_url(url, HOSTS)
    called = requests.Request("POST", url).prepare().url
    assert called is not None
    assert urlsplit(called).hostname == "app.example.com"


@pytest.mark.parametrize("url", [5, ["https://app.example.com/"], {"url": "https://app.example.com/"}, True])
def test_what_is_no_text_is_no_address(url: Any) -> None:
    with pytest.raises(RequestError, match="callback_url"):
        check_callback_url(url, HOSTS)


def test_what_an_address_carries_beside_its_host_is_not_told(receiver: Receiver) -> None:
    receiver.statuses = [404]
    with pytest.raises(TransientError) as failed:
        post_callback(
            f"{receiver.url}?token=very-secret", {}, hosts=HOSTS, secret="s", clock=lambda: 1000, sleep=lambda _: None
        )
    assert "127.0.0.1" in str(failed.value)
    assert "very-secret" not in str(failed.value)


def test_nobody_is_called_when_no_time_is_left(receiver: Receiver) -> None:
    with pytest.raises(TransientError, match="no time was left"):
        post_callback(receiver.url, {}, hosts=HOSTS, secret="s", until=time.monotonic() + 0.5)
    assert receiver.got == []


def test_a_receiver_that_stumbles_is_not_asked_again_when_the_time_is_over(receiver: Receiver) -> None:
    receiver.statuses = [503]
    with pytest.raises(TransientError, match="status 503"):
        post_callback(receiver.url, {}, hosts=HOSTS, secret="s", until=time.monotonic() + 2.5)
    assert len(receiver.got) == 1
