"""What each failure of a request means for the money."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.providers.scripted import Provider, drip, hang_up, reply
from video_production.errors import OperatorError, ProviderAmbiguous, ProviderRefused, ProviderUnreachable
from video_production.providers.connection import TimeGuard, is_public
from video_production.providers.exchange import Answer, Call
from video_production.providers.http import Explanation, ProviderHttp

KEY = "secret-key-of-the-test"
DELAY, JITTER = 7.0, 0.25


def explain(status: int, content: bytes) -> Explanation:
    known = content == b'{"code": "busy"}'
    return Explanation(f"explained {status}", "busy" if known else "", understood=known)


@pytest.fixture
def http() -> ProviderHttp:
    return ProviderHttp("acme", "Acme", retry_delay=lambda: DELAY, jitter=lambda: JITTER, sleep=lambda seconds: None)


def pay(http: ProviderHttp, url: str, budget: float = 5.0, **options: Any) -> Any:
    options = {"headers": {"xi-api-key": KEY}, "explain": explain, **options}
    return http.paid_request(url, {"text": "hello"}, budget=budget, **options)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class TestPaidRequest:
    def test_a_2xx_answer_is_returned_with_its_headers(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(201, {"id": "j1"}, {"request-id": "r1"}))
        answer = pay(http, provider.url)
        assert (answer.status, answer.content, answer.headers["Request-Id"]) == (201, b'{"id": "j1"}', "r1")
        assert provider.received[0].body == {"text": "hello"}

    def test_a_body_can_be_streamed_into_a_file(self, http: ProviderHttp, provider: Provider, tmp_path: Path) -> None:
        content = bytes(range(256)) * 8192
        provider.answers(reply(200, content))
        with (tmp_path / "answer").open("w+b") as file:
            answer = pay(http, provider.url, into=file, limit=len(content))
        assert (tmp_path / "answer").read_bytes() == content
        assert answer.content == b""

    @pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 422, 451])
    def test_a_4xx_is_a_final_refusal(self, http: ProviderHttp, provider: Provider, status: int) -> None:
        provider.answers(reply(status))
        with pytest.raises(ProviderRefused, match=f"explained {status}") as caught:
            pay(http, provider.url)
        assert (caught.value.http_status, caught.value.retry_after) == (status, None)
        assert not caught.value.may_have_been_paid

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 408, 409, 500, 502, 503, 504, 529])
    def test_these_statuses_say_nothing_about_the_money(
        self, http: ProviderHttp, provider: Provider, status: int
    ) -> None:
        provider.answers(reply(status, headers={"Location": f"{provider.url}/elsewhere"}))
        with pytest.raises(ProviderAmbiguous, match=f"HTTP {status}") as caught:
            pay(http, provider.url)
        assert caught.value.may_have_been_paid
        assert len(provider.received) == 1, "no redirect is followed and nothing is sent twice"

    def test_a_409_with_a_known_reason_is_a_refusal(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(409, {"code": "busy"}))
        with pytest.raises(ProviderRefused) as caught:
            pay(http, provider.url)
        assert (caught.value.code, caught.value.retry_after) == ("busy", None)

    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            ({}, DELAY),
            ({"Retry-After": "12"}, 12 + JITTER),
            ({"Retry-After": "0"}, JITTER),
            ({"Retry-After": "-5"}, JITTER),
            ({"Retry-After": "999999999"}, 3600 + JITTER),
            ({"Retry-After": "nan"}, DELAY),
            ({"Retry-After": "soon"}, DELAY),
        ],
    )
    def test_a_429_says_when_to_come_back(
        self, http: ProviderHttp, provider: Provider, header: dict[str, str], expected: float
    ) -> None:
        provider.answers(reply(429, headers=header))
        with pytest.raises(ProviderRefused) as caught:
            pay(http, provider.url)
        assert caught.value.retry_after == expected

    def test_a_429_that_only_the_accounts_owner_can_mend_is_final(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(429, headers={"Retry-After": "3"}))
        with pytest.raises(ProviderRefused) as caught:
            pay(http, provider.url, explain=lambda status, content: Explanation("The day's limit.", account=True))
        assert (caught.value.retry_after, caught.value.account) == (None, True)

    def test_a_429_may_name_a_date(self, provider: Provider) -> None:
        moment = datetime.datetime(2026, 10, 3, 12, 0, 0, tzinfo=datetime.UTC)
        http = ProviderHttp("acme", "Acme", jitter=lambda: 0.0, now=lambda: moment.timestamp() - 30)
        provider.answers(reply(429, headers={"Retry-After": format_datetime(moment, usegmt=True)}))
        with pytest.raises(ProviderRefused) as caught:
            pay(http, provider.url)
        assert caught.value.retry_after == 30

    def test_a_dropped_connection_is_ambiguous_and_nothing_is_sent_again(
        self, http: ProviderHttp, provider: Provider
    ) -> None:
        provider.answers(hang_up, reply(200))
        with pytest.raises(ProviderAmbiguous, match="closed without an answer"):
            pay(http, provider.url)
        assert len(provider.received) == 1

    def test_an_answer_that_is_cut_off_is_ambiguous(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(200, b'{"id": "j', length=1000))
        with pytest.raises(ProviderAmbiguous, match="cut off"):
            pay(http, provider.url)

    def test_an_answer_that_is_too_large_is_ambiguous(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(200, b"x" * 5000))
        with pytest.raises(ProviderAmbiguous, match="more than 4096 bytes"):
            pay(http, provider.url, limit=4096)

    def test_a_huge_error_page_is_still_a_refusal(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(400, b"x" * 3_000_000))
        with pytest.raises(ProviderRefused):
            pay(http, provider.url)

    def test_a_full_disk_after_the_answer_is_ambiguous(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(200, b"x" * 100_000))
        with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(ProviderAmbiguous, match="disk is full"):
            pay(http, provider.url, into=full)

    def test_the_total_time_is_enforced_against_a_server_that_drips(
        self, http: ProviderHttp, provider: Provider
    ) -> None:
        provider.answers(drip(provider.over))
        started = time.monotonic()
        with pytest.raises(ProviderAmbiguous, match="no complete answer within"):
            pay(http, provider.url, budget=0.5)
        assert 0.4 < time.monotonic() - started < 5

    def test_a_server_that_never_answers_is_left_in_time(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(lambda handler: provider.over.wait(10) and None)
        started = time.monotonic()
        with pytest.raises(ProviderAmbiguous, match="no complete answer within"):
            pay(http, provider.url, budget=0.3)
        assert time.monotonic() - started < 5

    def test_a_refused_connection_means_that_nothing_was_sent(self, http: ProviderHttp) -> None:
        with pytest.raises(ProviderRefused, match="nothing was sent: the connection was refused") as caught:
            pay(http, f"http://127.0.0.1:{closed_port()}/")
        assert caught.value.retry_after == DELAY

    def test_a_name_that_does_not_resolve_means_that_nothing_was_sent(
        self, http: ProviderHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*args: object, **options: object) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")

        monkeypatch.setattr(socket, "getaddrinfo", fail)
        with pytest.raises(ProviderRefused, match="could not be resolved") as caught:
            pay(http, "http://api.acme.invalid/")
        assert caught.value.retry_after == DELAY

    def test_a_time_that_runs_out_while_connecting_means_that_nothing_was_sent(
        self, http: ProviderHttp, provider: Provider, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = socket.getaddrinfo

        def slow(*args: Any, **options: Any) -> Any:
            time.sleep(0.3)
            return real(*args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slow)
        provider.answers(reply(200))
        with pytest.raises(ProviderRefused, match="nothing was sent: no complete answer within") as caught:
            pay(http, provider.url, budget=0.1)
        assert caught.value.retry_after == DELAY
        assert provider.received == []

    @pytest.mark.parametrize("url", ["not an address", "ftp://acme.invalid/", "http://[::bad/", "http:///x"])
    def test_an_impossible_address_is_refused_for_good(self, http: ProviderHttp, url: str) -> None:
        with pytest.raises(ProviderRefused, match="check the base URL") as caught:
            pay(http, url)
        assert caught.value.retry_after is None

    def test_an_impossible_key_is_refused_for_good_and_not_shown(self, http: ProviderHttp) -> None:
        with pytest.raises(ProviderRefused) as caught:
            pay(http, "http://127.0.0.1:9/", headers={"xi-api-key": f"{KEY}\n"})
        assert caught.value.retry_after is None
        assert KEY not in _everything(caught.value)

    def test_neither_proxies_nor_netrc_of_the_environment_are_used(
        self, http: ProviderHttp, provider: Provider, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login someone password something\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        provider.answers(reply(200))
        pay(http, provider.url)
        assert "Authorization" not in provider.received[0].headers

    def test_every_request_has_a_connection_of_its_own(self, http: ProviderHttp, provider: Provider) -> None:
        ports = []

        def note(handler: Any) -> None:
            ports.append(handler.client_address[1])
            reply(200)(handler)

        provider.answers(note)
        pay(http, provider.url)
        pay(http, provider.url)
        assert len(set(ports)) == 2

    @pytest.mark.parametrize("behaviour", [hang_up, reply(500), reply(400), reply(429)])
    def test_no_error_shows_the_key(self, http: ProviderHttp, provider: Provider, behaviour: Any) -> None:
        provider.answers(behaviour)
        with pytest.raises((ProviderRefused, ProviderAmbiguous)) as caught:
            pay(http, f"{provider.url}/path?signature={KEY}")
        assert KEY not in _everything(caught.value)


class TestTls:
    def test_a_handshake_that_fails_means_that_nothing_was_sent(self, http: ProviderHttp, provider: Provider) -> None:
        with pytest.raises(ProviderRefused, match="nothing was sent: the TLS connection failed") as caught:
            pay(http, provider.url.replace("http://", "https://"))
        assert caught.value.retry_after == DELAY
        assert provider.received == []

    def test_a_handshake_that_hangs_means_that_nothing_was_sent(self, http: ProviderHttp) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            started = time.monotonic()
            with pytest.raises(ProviderRefused, match="nothing was sent"):
                pay(http, f"https://127.0.0.1:{silent.getsockname()[1]}/", budget=0.3)
            assert time.monotonic() - started < 5

    def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
        self, http: ProviderHttp, tls: tuple[str, Path, list[bytes]]
    ) -> None:
        url, _, received = tls
        with pytest.raises(ProviderRefused, match="nothing was sent: its TLS certificate is not trusted"):
            pay(http, url)
        assert received == []

    def test_a_certificate_of_the_given_authority_is_trusted(self, tls: tuple[str, Path, list[bytes]]) -> None:
        url, bundle, received = tls
        http = ProviderHttp("acme", "Acme", ca_bundle=str(bundle))
        assert pay(http, url).content == b"{}"
        assert len(received) == 1

    def test_a_reset_after_the_handshake_is_ambiguous(self, tls: tuple[str, Path, list[bytes]]) -> None:
        url, bundle, _ = tls
        http = ProviderHttp("acme", "Acme", ca_bundle=str(bundle))
        with pytest.raises(ProviderAmbiguous):
            pay(http, f"{url}/hang-up")

    def test_the_total_time_is_enforced_inside_tls(self, tls: tuple[str, Path, list[bytes]]) -> None:
        url, bundle, _ = tls
        http = ProviderHttp("acme", "Acme", ca_bundle=str(bundle))
        started = time.monotonic()
        with pytest.raises(ProviderAmbiguous, match="no complete answer within"):
            pay(http, f"{url}/silence", budget=0.4)
        assert time.monotonic() - started < 5

    def test_a_bundle_that_does_not_exist_is_the_operators_fault(self) -> None:
        with pytest.raises(OperatorError, match="REQUESTS_CA_BUNDLE"):
            ProviderHttp("acme", "Acme", ca_bundle="/no/such/bundle.pem")


class TestTimeGuard:
    def test_a_guard_that_expired_lets_nothing_leave(self) -> None:
        with TimeGuard(0.0) as guard:
            while not guard.expired:
                time.sleep(0.001)
            with pytest.raises(TimeoutError):
                guard.about_to_send()
        assert not guard.sent

    def test_a_connection_that_opens_too_late_is_not_used(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, TimeGuard(0.0) as guard:
            while not guard.expired:
                time.sleep(0.001)
            with pytest.raises(TimeoutError):
                guard.opened(ours)

    def test_a_connection_is_shut_down_when_the_time_is_over(self) -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, TimeGuard(0.05) as guard:
            guard.opened(ours)
            guard.about_to_send()
            theirs.settimeout(5)
            assert theirs.recv(1) == b""
            assert guard.sent


class TestFreeRequest:
    def test_it_is_repeated_until_it_works(self, provider: Provider) -> None:
        pauses: list[float] = []
        http = ProviderHttp("acme", "Acme", jitter=lambda: 0.5, sleep=pauses.append)
        provider.answers(reply(500), hang_up, reply(429, headers={"Retry-After": "3"}), reply(200, {"ok": True}))
        assert http.free_request(provider.url, explain=explain).content == b'{"ok": true}'
        assert pauses == [0.75, 1.5, 3.5], "back-off doubles, with jitter; a time that the provider names wins"

    @pytest.mark.parametrize("content", [b"<html>", b"[1]", b"\xff"])
    def test_an_answer_that_should_be_an_object_and_is_none_is_unreadable(
        self, http: ProviderHttp, provider: Provider, content: bytes
    ) -> None:
        provider.answers(reply(200, {"ok": True}), reply(200, content))
        assert http.free_json(provider.url, explain=explain) == {"ok": True}
        with pytest.raises(ProviderUnreachable, match=r"Acme gave an unreadable answer\.") as caught:
            http.free_json(provider.url, explain=explain)
        assert caught.value.http_status == 200

    def test_it_gives_up_after_four_attempts(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(503))
        with pytest.raises(ProviderUnreachable, match="explained 503") as caught:
            http.free_request(provider.url, explain=explain)
        assert caught.value.http_status == 503
        assert len(provider.received) == 4

    def test_it_does_not_wait_beyond_its_time(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(429, headers={"Retry-After": "60"}))
        with pytest.raises(ProviderUnreachable):
            http.free_request(provider.url, explain=explain, budget=5)
        assert len(provider.received) == 1

    def test_a_final_answer_is_not_asked_for_again(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(404))
        with pytest.raises(ProviderUnreachable) as caught:
            http.free_request(provider.url, explain=explain)
        assert caught.value.http_status == 404
        assert len(provider.received) == 1

    def test_a_repeated_download_starts_its_file_anew(
        self, http: ProviderHttp, provider: Provider, tmp_path: Path
    ) -> None:
        provider.answers(reply(200, b"x" * 600_000, length=700_000), reply(200, b"whole"))
        with (tmp_path / "sound").open("wb") as file:
            http.free_request(provider.url, explain=explain, into=file)
        assert (tmp_path / "sound").read_bytes() == b"whole"

    def test_it_follows_a_redirect_only_when_asked_to(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(302, headers={"Location": "/there"}), reply(200, {"ok": True}))
        assert http.free_request(provider.url, explain=explain, follow=True).status == 200
        provider.answers(reply(302, headers={"Location": "/there"}))
        with pytest.raises(ProviderUnreachable) as caught:
            http.free_request(provider.url, explain=explain)
        assert caught.value.http_status == 302

    def test_no_thread_outlives_its_request(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(200))
        http.free_request(provider.url, explain=explain, budget=300)
        assert not [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]


def test_no_description_of_a_request_or_an_answer_holds_what_is_secret() -> None:
    signed = "https://files.example/a?signature=5160aa"
    call = Call("check", "GET", signed, {"xi-api-key": KEY}, {"key": KEY}, {"key": KEY}, None, 1, False)
    answer = Answer(200, {"set-cookie": KEY}, signed.encode())
    assert not any(secret in f"{call} {answer}" for secret in (KEY, "5160aa"))
    assert "check" in repr(call)


class TestAddressesThatAProviderGives:
    def test_one_of_a_public_api_must_be_https(self, http: ProviderHttp, provider: Provider) -> None:
        with pytest.raises(ProviderUnreachable, match="is not https"):
            http.free_request(provider.url, explain=explain, follow=True, given_by="https://api.acme.example")
        assert provider.received == []

    def test_one_of_a_public_api_must_not_lead_into_a_private_network(self, tls: tuple[str, Path, list[bytes]]) -> None:
        url, bundle, received = tls
        waits: list[float] = []
        http = ProviderHttp("acme", "Acme", ca_bundle=str(bundle), sleep=waits.append)
        asked: dict[str, Any] = {"method": "POST", "body": {"text": "hello"}, "explain": explain, "follow": True}
        assert http.free_request(url, **asked).status == 200
        received.clear()
        with pytest.raises(ProviderUnreachable, match="public internet"):
            http.free_request(url, given_by="https://api.acme.example", **asked)
        assert (received, waits) == ([], []), "nothing is sent, and nothing is tried again"

    def test_one_of_a_stand_in_may_be_on_this_machine(self, http: ProviderHttp, provider: Provider) -> None:
        provider.answers(reply(302, headers={"Location": "/there"}), reply(200, {"ok": True}))
        answer = http.free_request(provider.url, explain=explain, follow=True, given_by=provider.url)
        assert answer.status == 200

    @pytest.mark.parametrize(
        ("address", "public"),
        [
            ("52.95.110.1", True),
            ("2606:4700::1111", True),
            ("127.0.0.1", False),
            ("10.1.2.3", False),
            ("169.254.169.254", False),
            ("100.64.0.1", False),
            ("0.0.0.0", False),
            ("::1", False),
            ("fd00:ec2::254", False),
            ("fe80::1%eth0", False),
            ("::ffff:127.0.0.1", False),
            ("::ffff:52.95.110.1", True),
            ("64:ff9b::7f00:1", False),
        ],
    )
    def test_what_counts_as_public(self, address: str, public: bool) -> None:
        assert is_public(address) == public


def _everything(error: BaseException) -> str:
    """The error and all that a traceback would print below it."""
    texts, current = [], error
    while current is not None:
        texts.append(f"{current!r} {current}")
        suppressed = current.__suppress_context__
        current = current.__cause__ or (None if suppressed else current.__context__)  # type: ignore[assignment]
    return " ".join(texts)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for 127.0.0.1 that signs itself, in one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> Iterator[tuple[str, Path, list[bytes]]]:
    """A TLS server that answers `{}`: its URL, its certificate, the requests that it could read."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    received: list[bytes] = []
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while not over.is_set():
            connection, _ = listener.accept()
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) as secure:
                        request = secure.recv(65536)
                        while request and b'"hello"}' not in request and (more := secure.recv(65536)):
                            request += more
                        if not request:
                            continue
                        received.append(request)
                        if b"/hang-up" in request:
                            continue
                        if b"/silence" in request:
                            over.wait(10)
                            continue
                        secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                except OSError:
                    continue

    thread = threading.Thread(target=serve)
    thread.start()
    port = listener.getsockname()[1]
    yield f"https://127.0.0.1:{port}", certificate, received
    over.set()
    socket.create_connection(("127.0.0.1", port)).close()
    thread.join()
    listener.close()


class TestMetrics:
    @pytest.fixture
    def counted(self) -> list[tuple[str, dict[str, str]]]:
        return []

    @pytest.fixture
    def measured(self, counted: list[tuple[str, dict[str, str]]]) -> ProviderHttp:
        def report(name: str, value: float = 1, **dimensions: str) -> None:
            assert value >= 0
            counted.append((name, dimensions))

        return ProviderHttp("acme", "Acme", jitter=lambda: 0.0, sleep=lambda seconds: None, report=report)

    @pytest.mark.parametrize(
        ("behaviour", "extra"),
        [(reply(200), []), (reply(404), []), (reply(429), ["RateLimited"]), (reply(503), ["ProviderErrors"])],
    )
    def test_every_request_is_counted_and_what_became_of_it(
        self, measured: ProviderHttp, provider: Provider, counted: list[Any], behaviour: Any, extra: list[str]
    ) -> None:
        provider.answers(behaviour)
        with suppress(ProviderRefused, ProviderAmbiguous):
            pay(measured, provider.url)
        assert [name for name, _ in counted] == ["ProviderCalls", "ProviderLatency", *extra]
        assert dict(counted)["ProviderLatency"] == {"provider": "acme", "operation": "submit"}

    def test_no_answer_is_an_error(self, measured: ProviderHttp, provider: Provider, counted: list[Any]) -> None:
        provider.answers(hang_up)
        with pytest.raises(ProviderAmbiguous):
            pay(measured, provider.url)
        assert [name for name, _ in counted] == ["ProviderCalls", "ProviderLatency", "ProviderErrors"]

    def test_every_repetition_counts(self, measured: ProviderHttp, provider: Provider, counted: list[Any]) -> None:
        provider.answers(reply(503), reply(200))
        measured.free_request(provider.url, explain=explain, operation="check")
        assert [name for name, _ in counted].count("ProviderCalls") == 2
        assert dict(counted)["ProviderLatency"]["operation"] == "check"
