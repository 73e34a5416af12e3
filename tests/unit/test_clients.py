"""A client is made once, when it is first used, whoever uses it first."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config

from video_production import clients
from video_production.clients import LazyClient


class Session:
    """Makes clients slowly, as botocore does; the first `failures` calls fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.made: list[tuple[str, Config | None]] = []

    def create_client(self, service: str, config: Config | None) -> Any:
        threading.Event().wait(0.02)
        if self.failures:
            self.failures -= 1
            raise OSError("no region")
        self.made.append((service, config))
        return SimpleNamespace(number=len(self.made))


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    session = Session()
    monkeypatch.setattr(clients, "_session", lambda: session)
    return session


def test_a_client_is_made_at_its_first_use_and_once(session: Session) -> None:
    config = Config(read_timeout=10)
    client = LazyClient("sqs", config)
    assert session.made == []
    assert [client.number, client.number] == [1, 1]
    assert session.made == [("sqs", config)]


def test_threads_that_use_it_first_together_get_the_same_client(session: Session) -> None:
    client = LazyClient("sqs")
    ready = threading.Barrier(8)
    seen: list[int] = []

    def use() -> None:
        ready.wait()
        seen.append(client.number)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(session.made), seen) == (1, [1] * 8)


def test_a_client_that_could_not_be_made_is_tried_again(session: Session) -> None:
    session.failures = 1
    client = LazyClient("sqs")
    with pytest.raises(OSError, match="no region"):
        _ = client.number
    assert client.number == 1


def test_a_client_is_botocore_s_for_the_environment_s_region(monkeypatch: pytest.MonkeyPatch) -> None:
    clients._session.cache_clear()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    client = LazyClient("sqs", Config(read_timeout=7))
    try:
        assert (client.meta.region_name, client.meta.config.read_timeout) == ("eu-west-3", 7)
        assert client.meta.service_model.service_name == "sqs"
    finally:
        clients._session.cache_clear()
