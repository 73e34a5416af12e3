"""A client is made once, when it is first used, whoever uses it first."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from video_production.clients import LazyClient


def test_a_client_is_made_at_its_first_use_and_once() -> None:
    made: list[str] = []

    def make() -> SimpleNamespace:
        made.append("one")
        return SimpleNamespace(send=lambda: "sent", name="queue")

    client = LazyClient(make)
    assert made == []
    assert (client.send(), client.name, made) == ("sent", "queue", ["one"])


def test_threads_that_use_it_first_together_get_the_same_client() -> None:
    made: list[SimpleNamespace] = []
    ready = threading.Barrier(8)
    seen: list[int] = []

    def make() -> SimpleNamespace:
        threading.Event().wait(0.02)
        made.append(SimpleNamespace(number=len(made)))
        return made[-1]

    client = LazyClient(make)

    def use() -> None:
        ready.wait()
        seen.append(client.number)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(made), seen) == (1, [0] * 8)


def test_a_client_that_could_not_be_made_is_tried_again() -> None:
    answers = [OSError("no region"), SimpleNamespace(send=lambda: "sent")]

    def make() -> object:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = LazyClient(make)
    with pytest.raises(OSError, match="no region"):
        client.send()
    assert client.send() == "sent"
