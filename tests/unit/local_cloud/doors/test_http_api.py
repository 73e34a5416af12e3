"""HTTP APIs: what clients are answered, and what functions see of a request."""

from __future__ import annotations

import base64
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_cloud.functions import ACCESS_KEY, ACCOUNT, REGION, SECRET_KEY

Api = Callable[..., str]


@pytest.fixture
def api(doors: Any, moto: Any) -> Api:
    """api({"POST /x": (function ARN, "NONE")}, limits={}, **integration) → base URL."""

    def make(routes: dict[str, tuple[str, str]], limits: Any = None, **integration: Any) -> str:
        from moto.apigatewayv2.models import apigatewayv2_backends

        from local_cloud.wiring import construct

        made = construct(apigatewayv2_backends[ACCOUNT][REGION].create_api, name="api", protocol_type="HTTP")
        made.create_stage({"stageName": "$default", **({"defaultRouteSettings": limits} if limits else {})})
        for key, (arn, authorization) in routes.items():
            settings = {"integration_type": "AWS_PROXY", "payload_format_version": "2.0", **integration}
            target = construct(made.create_integration, integration_uri=arn, **settings)
            given = {"authorization_type": authorization, "target": f"integrations/{target.id}"}
            construct(made.create_route, route_key=key, **given)
        return str(doors.api_url(made.api_id))

    return make


def sign(url: str, body: bytes = b"", *, service: str = "execute-api", secret: str = SECRET_KEY) -> dict[str, str]:
    """The headers of a POST, signed as SDKs do it."""
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "application/json"})
    SigV4Auth(Credentials(ACCESS_KEY, secret), service, REGION).add_auth(request)
    return dict(request.headers)


def test_a_function_sees_the_request_in_payload_format_2(api: Api, moto: Any, functions: Any) -> None:
    url = api({"POST /webhooks/{provider}": (moto.function("receiver"), "NONE")})
    body = '{"type": "flows_generation", "ü": 1}'.encode()
    headers = {"ElevenLabs-Signature": "t=1,v0=abc", "Content-Type": "application/json", "Cookie": "a=1; b=2"}
    answer = requests.post(f"{url}/webhooks/eleven%20labs?a=1&a=2&b=", data=body, headers=headers, timeout=5)
    assert answer.status_code == 200
    event = functions.calls[0][1]
    context = event["requestContext"]
    assert (event["version"], event["routeKey"]) == ("2.0", "POST /webhooks/{provider}")
    assert (event["rawPath"], event["rawQueryString"]) == ("/webhooks/eleven labs", "a=1&a=2&b=")
    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["pathParameters"] == {"provider": "eleven labs"}
    assert event["headers"]["elevenlabs-signature"] == "t=1,v0=abc"
    assert event["cookies"] == ["a=1", "b=2"]
    assert (event["body"].encode(), event["isBase64Encoded"]) == (body, False)
    assert (context["accountId"], context["stage"], context["routeKey"]) == (ACCOUNT, "$default", event["routeKey"])
    assert context["http"]["method"] == "POST"
    assert context["http"]["sourceIp"] == "127.0.0.1"
    assert abs(context["timeEpoch"] / 1000 - time.time()) < 10
    assert "authorizer" not in context


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/json; charset=utf-8", b"{}", False),
        ("application/cloudevents+json", b"{}", False),
        ("text/plain", b"words", False),
        ("text/plain", b"\xff", True),
        ("application/x-www-form-urlencoded", b"a=1", True),
        ("", b"words", True),
    ],
)
def test_what_is_no_text_comes_in_base64(
    api: Api, moto: Any, functions: Any, content_type: str, body: bytes, encoded: bool
) -> None:
    url = api({"POST /in": (moto.function("receiver"), "NONE")})
    requests.post(f"{url}/in", data=body, headers={"Content-Type": content_type} if content_type else {}, timeout=5)
    event = functions.calls[0][1]
    assert event["isBase64Encoded"] == encoded
    assert (base64.b64decode(event["body"]) if encoded else event["body"].encode()) == body


BROKEN = b'{"message": "Internal Server Error"}'


@pytest.mark.parametrize(
    ("given", "status", "content_type", "body"),
    [
        ({"statusCode": 202, "body": "{}", "headers": {"Content-Type": "application/json"}}, 202, "json", b"{}"),
        ({"statusCode": 200, "body": "words"}, 200, "text/plain", b"words"),
        ({"statusCode": "204"}, 204, "text/plain", b""),
        ({"statusCode": 200, "body": "/w==", "isBase64Encoded": True}, 200, "text/plain", b"\xff"),
        ({"status": "started"}, 200, "application/json", b'{"status": "started"}'),
        (None, 200, "application/json", b"null"),
        ({"statusCode": "teapot"}, 500, "application/json", BROKEN),
        ({"statusCode": 200, "body": "?", "isBase64Encoded": True}, 500, "application/json", BROKEN),
    ],
)
def test_answers_of_functions_become_answers_to_clients(
    api: Api, moto: Any, given: Any, status: int, content_type: str, body: bytes
) -> None:
    url = api({"ANY /out": (moto.function("answerer", lambda _: given), "NONE")})
    answer = requests.get(f"{url}/out", timeout=5)
    assert (answer.status_code, answer.content) == (status, body)
    assert content_type in answer.headers["content-type"]


def test_headers_and_cookies_of_an_answer_arrive(api: Api, moto: Any) -> None:
    given = {"statusCode": 200, "headers": {"Retry-After": 5, "X-Yes": True}, "cookies": ["a=1", "b=2"]}
    url = api({"GET /": (moto.function("answerer", lambda _: given), "NONE")})
    answer = requests.get(f"{url}/", timeout=5)
    assert (answer.headers["retry-after"], answer.headers["x-yes"]) == ("5", "true")
    assert answer.cookies.get_dict() == {"a": "1", "b": "2"}


def test_what_no_route_fits_is_not_found(api: Api, moto: Any, functions: Any) -> None:
    url = api({"POST /webhooks/{provider}": (moto.function("receiver"), "NONE")})
    for method, path in (("GET", "/webhooks/x"), ("POST", "/webhooks"), ("POST", "/webhooks/x/y"), ("POST", "/")):
        answer = requests.request(method, url + path, timeout=5)
        assert (answer.status_code, answer.json()) == (404, {"message": "Not Found"})
    assert functions.calls == []


def test_a_function_that_fails_is_a_broken_server(api: Api, moto: Any) -> None:
    def fail(event: Any) -> None:
        raise ValueError("secret details")

    url = api({"GET /": (moto.function("failing", fail), "NONE")})
    answer = requests.get(url, timeout=5)
    assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})


def test_a_function_that_takes_too_long_is_not_waited_for(api: Api, moto: Any) -> None:
    url = api({"GET /": (moto.function("slow", lambda _: time.sleep(0.3)), "NONE")}, timeout_in_millis="50")
    assert requests.get(url, timeout=5).status_code == 503


def test_a_body_above_ten_megabytes_is_refused_readably(api: Api, moto: Any, functions: Any) -> None:
    url = api({"POST /in": (moto.function("receiver"), "NONE")})
    answer = requests.post(f"{url}/in", data=b"x" * ((10 << 20) + 1), timeout=20)
    assert (answer.status_code, answer.json()) == (413, {"message": "Request Entity Too Large"})
    assert functions.calls == []


def test_more_requests_than_the_stage_takes_are_refused(api: Api, moto: Any) -> None:
    limits = {"throttlingRateLimit": 0.001, "throttlingBurstLimit": 2}
    url = api({"GET /": (moto.function("answerer"), "NONE")}, limits)
    answers = [requests.get(url, timeout=5) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json() == {"message": "Too Many Requests"}


def test_a_signed_request_says_who_signed_it(api: Api, moto: Any, functions: Any) -> None:
    url = api({"POST /pipelines/{id}/executions": (moto.function("starter"), "AWS_IAM")})
    path = f"{url}/pipelines/my%20lesson/executions?b=2&a=1%2F"
    answer = requests.post(path, data=b"{}", headers=sign(path, b"{}"), timeout=5)
    assert answer.status_code == 200
    iam = functions.calls[0][1]["requestContext"]["authorizer"]["iam"]
    assert (iam["accessKey"], iam["accountId"]) == (ACCESS_KEY, ACCOUNT)
    assert functions.calls[0][1]["pathParameters"] == {"id": "my lesson"}


def test_what_is_not_signed_well_is_forbidden(api: Api, moto: Any, functions: Any) -> None:
    url = api({"POST /start": (moto.function("starter"), "AWS_IAM")}) + "/start"
    good = sign(url, b"{}")
    wrong: list[tuple[dict[str, str], bytes]] = [
        ({}, b"{}"),
        (sign(url, b"{}", secret="guessed"), b"{}"),
        (sign(url, b"{}", service="s3"), b"{}"),
        (good, b'{"other": "body"}'),
        ({**good, "X-Amz-Date": "20200101T000000Z"}, b"{}"),
        ({**good, "Authorization": good["Authorization"].replace("Signature=", "Signature=0")}, b"{}"),
        ({**good, "Authorization": good["Authorization"].replace(ACCESS_KEY, "somebody")}, b"{}"),
        ({**good, "Authorization": "AWS4-HMAC-SHA256 nonsense"}, b"{}"),
    ]
    for headers, body in wrong:
        answer = requests.post(url, data=body, headers=headers, timeout=5)
        assert (answer.status_code, answer.json()) == (403, {"message": "Forbidden"}), headers
    assert functions.calls == []
    elsewhere = requests.post(f"{url}?x=1", data=b"{}", headers=good, timeout=5)
    assert elsewhere.status_code == 403


def test_an_old_signature_is_forbidden() -> None:
    from datetime import UTC, datetime, timedelta

    from local_cloud.doors.http_messages import HttpRequest
    from local_cloud.doors.iam import Forbidden, IamAuthorizer

    url = "http://127.0.0.1:1/start"
    headers = {name.lower(): value for name, value in sign(url, b"{}").items()} | {"host": "127.0.0.1:1"}
    request = HttpRequest("POST", "/start", "", headers, b"{}", "127.0.0.1")

    def authorizer(minutes: float) -> IamAuthorizer:
        return IamAuthorizer(ACCESS_KEY, SECRET_KEY, lambda: datetime.now(UTC) + timedelta(minutes=minutes))

    assert authorizer(4.9).identify(request)["accessKey"] == ACCESS_KEY
    with pytest.raises(Forbidden, match="too old"):
        authorizer(5.1).identify(request)


def test_closing_ends_connections_that_clients_keep_open(moto: Any, functions: Any) -> None:
    from moto.apigatewayv2.models import apigatewayv2_backends

    from local_cloud.doors import open_doors
    from local_cloud.wiring import construct

    made = construct(apigatewayv2_backends[ACCOUNT][REGION].create_api, name="api", protocol_type="HTTP")
    with open_doors(functions) as doors:
        host, port = doors.api_url(made.api_id).removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 404")
        started = time.monotonic()
    assert time.monotonic() - started < 3
    connection.settimeout(3)
    while connection.recv(1000):
        pass
    connection.close()


ROUTES = ["GET /a/b", "GET /a/{x}", "ANY /a/{x}", "GET /a/{rest+}", "POST /{rest+}", "$default"]


@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("GET", "/a/b", "GET /a/b", {}),
        ("GET", "/a/c", "GET /a/{x}", {"x": "c"}),
        ("PUT", "/a/c", "ANY /a/{x}", {"x": "c"}),
        ("GET", "/a/b/c", "GET /a/{rest+}", {"rest": "b/c"}),
        ("POST", "/z", "POST /{rest+}", {"rest": "z"}),
        ("PUT", "/z", "$default", {}),
        ("GET", "/a/%C3%BC", "GET /a/{x}", {"x": "ü"}),
        ("GET", "/a.b", "$default", {}),
    ],
)
def test_the_most_specific_route_takes_a_request(method: str, path: str, route: str, parameters: Any) -> None:
    from types import SimpleNamespace

    from local_cloud.doors.http_routes import find_route

    found = find_route([SimpleNamespace(route_key=key) for key in reversed(ROUTES)], method, path)
    assert found is not None
    assert (found[0].route_key, found[1]) == (route, parameters)


def test_a_throttle_fills_up_again() -> None:
    from local_cloud.doors.http_routes import Throttle

    now = [0.0]
    throttle = Throttle(lambda: now[0])
    assert [throttle.admits("a", 2, 3) for _ in range(4)] == [True, True, True, False]
    assert throttle.admits("b", 2, 3), "keys do not share"
    now[0] = 0.5
    assert [throttle.admits("a", 2, 3) for _ in range(2)] == [True, False]
    now[0] = 100
    assert [throttle.admits("a", 2, 3) for _ in range(4)] == [True, True, True, False]


def test_the_local_environments_api_has_the_stacks_two_routes(doors: Any, moto: Any, functions: Any) -> None:
    from local_cloud import wiring
    from local_cloud.functions import Function

    names = {role: moto.function(role) for role in ("webhook_receiver", "pipeline_starter")}
    table = {role: Function(role, f"{role}.handler", 256, 30.0, 1, {}) for role in names}
    url = doors.api_url(wiring.create_api(table))
    requests.post(f"{url}/webhooks/elevenlabs", json={}, timeout=5)
    assert requests.post(f"{url}/pipelines/lesson/executions", timeout=5).status_code == 403
    path = f"{url}/pipelines/lesson/executions"
    requests.post(path, headers=sign(path), timeout=5)
    assert [name for name, _ in functions.calls] == ["webhook_receiver", "pipeline_starter"]
    assert json.dumps(functions.calls[1][1])
