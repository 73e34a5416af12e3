"""The handle under `/stand-in`, and the account that it sets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stand_ins.account import BilledAccount
from stand_ins.charge_book import Charge
from stand_ins.control import control, is_control
from stand_ins.home import Home
from stand_ins.server import Request


@dataclass(frozen=True, slots=True)
class Plan:
    places: int = 2
    most: float | None = None


def account_of(home: Home) -> BilledAccount[Plan]:
    return BilledAccount(home.folder / "account.json", home.book, Plan, limit="most", unit="usd")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path, ("tts",))
    yield made
    made.close()


def request(method: str, path: str, content: Any = None) -> Request:
    return Request(method, path, {}, {}, b"" if content is None else json.dumps(content).encode(), "http://x")


def ask(home: Home, method: str, path: str, content: Any = None) -> tuple[int, Any]:
    reply = control(home, account_of(home), request(method, f"/stand-in{path}", content), {"stand_in": "acme"})
    return reply.status, json.loads(reply.body)


def charge(job: str, usd: float) -> Charge:
    return Charge(1.0, "film", job, "r", 1, "seconds", 7, "m", usd, "0", "")


def test_it_says_who_it_is(home: Home) -> None:
    status, about = ask(home, "GET", "")
    assert (status, about["stand_in"], about["home"]) == (200, "acme", str(home.folder))


@pytest.mark.parametrize("content", [{}, {"credits": 10}, [1]])
def test_a_balance_that_is_not_named_is_told(home: Home, content: Any) -> None:
    expected = {"error": 'Write {"balance": 0}, or null for an account without limit.'}
    assert ask(home, "POST", "/balance", content) == (400, expected)


def test_what_is_set_is_still_there_at_the_next_start(home: Home) -> None:
    account_of(home).charge(charge("a", 1.5))
    assert ask(home, "POST", "/balance", {"balance": 4}) == (200, {"balance": 4})
    assert ask(home, "POST", "/plan", {"places": 3}) == (200, {"places": 3, "most": 5.5})
    assert ask(home, "GET", "/plan") == (200, {"places": 3, "most": 5.5})
    assert ask(home, "POST", "/balance", {"balance": None}) == (200, {"balance": None})


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [("POST", "/plan", {"x": 3}), ("POST", "/balance", {}), ("POST", "/faults", {"on": "x"}), ("GET", "/q", None)],
)
def test_what_it_does_not_understand_it_refuses(home: Home, method: str, path: str, content: Any) -> None:
    status, answer = ask(home, method, path, content)
    assert (status, set(answer)) == (400, {"error"})


def test_only_paths_below_its_own_are_its_business() -> None:
    asked = ("/stand-in", "/stand-in/book", "/stand-in-storage/a", "/v1/stand-in")
    assert [is_control(request("GET", path)) for path in asked] == [True, True, False, False]


def test_a_result_is_charged_once_even_after_a_restart(home: Home) -> None:
    account = account_of(home)
    account.set_balance(2.0)
    for _ in range(2):
        account.charge(charge("a", 1.5))
    again = account_of(home)
    again.charge(charge("a", 1.5))
    assert (account.left, again.left, len(home.book.rows())) == (0.5, 0.5, 1)


def test_a_folder_belongs_to_one_process(home: Home) -> None:
    with pytest.raises(SystemExit, match="already runs"):
        Home(home.folder, ())
    home.close()
    Home(home.folder, ()).close()
