"""The product's own functions behind the doors: the way back from a merge that died, and the way of a webhook."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from local_cloud.functions import NAMES
from local_cloud.handle import CHECKOUT, CloudHandle, attach_or_start
from tests.integration.local_cloud.tiny import wait_for


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudHandle]:
    with attach_or_start(tmp_path_factory.mktemp("product"), webhooks=True) as handle:
        yield handle


@pytest.fixture
def callbacks() -> Iterator[tuple[str, queue.Queue[tuple[str, bytes]]]]:
    """A receiver of callbacks: its URL, and what came as (signature, body)."""
    received: queue.Queue[tuple[str, bytes]] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put((self.headers["Jiki-Signature"], self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/merged", received
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def aws(product: CloudHandle) -> Iterator[Callable[[str], Any]]:
    clients: list[Any] = []

    def client(service: str) -> Any:
        clients.append(product.client(service))
        return clients[-1]

    yield client
    for each in clients:
        each.close()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="memory is limited through /proc")
def test_the_caller_of_a_merge_that_was_killed_for_want_of_memory_gets_its_callback(
    product: CloudHandle, aws: Callable[[str], Any], callbacks: tuple[str, queue.Queue[tuple[str, bytes]]]
) -> None:
    url, received = callbacks
    product.ensure_bucket("clips")
    for clip in ("phone.mp4", "screen.mp4"):
        aws("s3").upload_file(str(CHECKOUT / "examples" / "lesson" / "media" / clip), "clips", clip)
    lambda_, merger = aws("lambda"), NAMES.function("merger")
    lambda_.update_function_configuration(FunctionName=merger, MemorySize=128)
    event = {
        "input_videos": ["s3://clips/phone.mp4", "s3://clips/screen.mp4"],
        "output_bucket": "clips",
        "output_key": "joined.mp4",
        "callback_url": url,
        "node_uuid": "n-1",
        "executor_type": "merge",
        "process_uuid": "p-1",
    }
    lambda_.invoke(FunctionName=merger, InvocationType="Event", Payload=json.dumps(event))
    signature, body = received.get(timeout=40)
    told = json.loads(body)
    assert {name: told[name] for name in ("node_uuid", "executor_type", "process_uuid")} == {
        "node_uuid": "n-1",
        "executor_type": "merge",
        "process_uuid": "p-1",
    }
    assert "out of memory" in told["error"]
    fields = dict(field.split("=", 1) for field in signature.split(","))
    secret = aws("secretsmanager").get_secret_value(SecretId=NAMES.callback_secret)["SecretString"]
    expected = hmac.new(secret.encode(), fields["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(fields["v1"], expected)


def test_a_webhook_of_the_stand_in_makes_the_poller_look_at_the_job(
    product: CloudHandle, aws: Callable[[str], Any]
) -> None:
    stand_in = product.endpoints.stand_ins["elevenlabs"]
    body = {"model_id": "eleven_v3", "text": "Hello.", "voice": "21m00Tcm4TlvDq8ikWAM", "webhook": {"type": "all"}}
    headers = {"xi-api-key": "draft-key"}
    job = requests.post(f"{stand_in}/v1/flows/text-to-speech", json=body, headers=headers, timeout=10).json()["id"]
    group = NAMES.function_log_group("elevenlabs_poller")

    def looked_at() -> Any:
        return aws("logs").filter_log_events(logGroupName=group, filterPattern=f'"{job}"')["events"]

    wait_for(looked_at, 40)


def test_every_provider_with_webhooks_has_the_local_api_for_a_subscriber(product: CloudHandle) -> None:
    heygen = product.endpoints.stand_ins["heygen"]
    listed = requests.get(f"{heygen}/v3/webhooks/endpoints", headers={"x-api-key": "draft-key"}, timeout=10).json()
    [endpoint] = listed["data"]
    assert endpoint["url"] == f"{product.endpoints.api}/webhooks/heygen"
    assert endpoint["events"] == ["avatar_video.success", "avatar_video.fail"]


def test_nobody_else_can_send_a_webhook(product: CloudHandle) -> None:
    forged = {"ElevenLabs-Signature": "t=1,v0=00"}
    url = f"{product.endpoints.api}/webhooks/elevenlabs"
    answer = requests.post(url, json={"type": "flows_generation"}, headers=forged, timeout=20)
    assert 400 <= answer.status_code < 500
