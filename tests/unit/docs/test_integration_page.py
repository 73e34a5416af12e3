"""docs/integration.md: the Ruby of the page, the options of the SDKs, the queue of events, the secret."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from cfnlint.decode import cfn_yaml  # type: ignore[import-untyped]

from tests.unit.docs.pages import CHECKOUT
from video_production.settings import EVENT_SOURCE

EXAMPLES = CHECKOUT / "examples" / "integration"
PAGE = (CHECKOUT / "docs" / "integration.md").read_text("utf-8")

needs_ruby = pytest.mark.skipif(shutil.which("ruby") is None, reason="Ruby is not installed")


@needs_ruby
def test_the_ruby_of_the_page_is_ruby(tmp_path: Path) -> None:
    snippets = re.findall(r"```ruby\n(.*?)```", PAGE, re.DOTALL)
    assert len(snippets) == 2
    (tmp_path / "snippets.rb").write_text("\n".join(snippets))
    checked = subprocess.run(["ruby", "-wc", tmp_path / "snippets.rb"], capture_output=True, text=True, check=False)
    assert (checked.stdout, checked.stderr) == ("Syntax OK\n", "")


def test_the_callback_secret_is_stored_without_a_line_break() -> None:
    for page in ("deploy.md", "integration.md", "runbook.md"):
        text = (CHECKOUT / "docs" / page).read_text("utf-8")
        assert text.count("openssl rand -hex 32") == text.count('printf %s "$(openssl rand -hex 32)" >'), page


# The clients of the Ruby SDK. Its service gems are not installed; what the core does is the same for every service, so
# the client of STS, which the core brings along, stands in for that of Lambda.


class Failing(ThreadingHTTPServer):
    """Answers everything with 500, and counts."""

    daemon_threads = True
    asked = 0


class _Refuse(BaseHTTPRequestHandler):
    server: Failing

    def do_POST(self) -> None:
        self.server.asked += 1
        self.send_response(500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def failing() -> Iterator[Failing]:
    with Failing(("127.0.0.1", 0), _Refuse) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


_ASK = """
require "aws-sdk-core"
Aws::Lambda = Aws::STS unless defined?(Aws::Lambda)
$LOADED_FEATURES << "aws-sdk-lambda.rb"
require "patient_lambda"
known = { region: "us-east-1", credentials: Aws::Credentials.new("a", "b"), endpoint: ARGV[0] }
patience = ARGV[1] == "patient" ? PatientLambda::OPTIONS : {}
client = Aws::Lambda::Client.new(**known, **patience)
begin
  client.get_caller_identity
rescue StandardError
  nil
end
puts client.config.http_read_timeout
"""


def _ruby(failing: Failing, mode: str, patience: str) -> int:
    """How often a client asks that gets no good answer; checks its read timeout on the way."""
    failing.asked = 0
    address = f"http://127.0.0.1:{failing.server_port}"
    done = subprocess.run(
        ["ruby", "-W:no-deprecated", "-I", EXAMPLES / "ruby", "-e", _ASK, address, patience],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "AWS_RETRY_MODE": mode, "LANG": "C.UTF-8"},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ("960\n" if patience == "patient" else "60\n")
    return failing.asked


@needs_ruby
@pytest.mark.parametrize("mode", ["legacy", "standard", "adaptive"])
def test_rubys_sdk_asks_once_in_every_retry_mode(failing: Failing, mode: str) -> None:
    assert _ruby(failing, mode, "patient") == 1


@needs_ruby
def test_rubys_sdk_would_ask_again_without_the_options(failing: Failing) -> None:
    assert _ruby(failing, "legacy", "impatient") > 1


def test_the_page_gives_the_options_of_the_sample() -> None:
    sample = (EXAMPLES / "ruby" / "patient_lambda.rb").read_text("utf-8")
    options = re.findall(r"^    (\w+: \d+)", sample, re.MULTILINE)
    assert len(options) == 3
    for option in options:
        assert f"`{option}`" in PAGE


def test_the_sample_for_the_real_client_names_what_lambda_knows() -> None:
    sample = (EXAMPLES / "ruby" / "patient_lambda.rb").read_text("utf-8")
    invoke = botocore.session.get_session().get_service_model("lambda").operation_model("Invoke")
    asked = re.search(r"client\.invoke\((.*)\)", sample)
    assert asked
    given = set(re.findall(r"(\w+):", asked[1]))
    assert given == {"function_name", "payload"} <= {_snake(name) for name in invoke.input_shape.members}
    read = set(re.findall(r"response\.(\w+)", sample))
    assert read == {"payload", "function_error"} <= {_snake(name) for name in invoke.output_shape.members}
    assert invoke.output_shape.members["Payload"].type_name == "blob"  # for which the Ruby SDK gives a StringIO


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def test_the_queue_of_events_is_fed_by_its_rule_alone_and_keeps_what_nobody_could_handle() -> None:
    resources = cfn_yaml.load(str(EXAMPLES / "events-queue.yaml"))["Resources"]
    rule, queue = resources["Rule"]["Properties"], resources["Queue"]["Properties"]
    assert rule["EventPattern"]["source"] == [EVENT_SOURCE]
    assert rule["Targets"] == [{"Id": "queue", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}]
    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    [statement] = resources["QueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    page = (CHECKOUT / "docs" / "permissions.md").read_text("utf-8")
    shown = re.search(r"<!-- policy: queue -->\n```json\n(.*?)```", page, re.DOTALL)
    assert shown
    [same] = json.loads(shown[1])["Statement"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]}}}
    assert statement["Resource"] == {"Fn::GetAtt": ["Queue", "Arn"]}
    for name in ("Sid", "Effect", "Principal", "Action"):
        assert statement[name] == same[name]
    assert statement["Condition"].keys() == same["Condition"].keys()
