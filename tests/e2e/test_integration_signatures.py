"""The examples' signature checks agree with the signatures that the functions write."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from tests.e2e.lab import CHECKOUT
from video_production.webhooks.callbacks import sign

EXAMPLES = CHECKOUT / "examples" / "integration"
NOW = 1_800_000_000
BODY = '{"process_uuid": "p", "result": {"s3_key": "größer.mp4"}}'.encode()
GOOD = sign(BODY, "secret", NOW)
OLD = sign(BODY, "secret", NOW - 301)

_PYTHON = """
import json, sys
from callback_signature import is_genuine
print(json.dumps([is_genuine(c["body"].encode(), c["header"], c["secret"], c["now"]) for c in json.load(sys.stdin)]))
"""
_RUBY = """
require "json"
require "callback_signature"
taken = JSON.parse($stdin.read).map do |c|
  CallbackSignature.genuine?(c["body"], c["header"], c["secret"], now: Time.at(c["now"]))
end
puts JSON.generate(taken)
"""
_ASK = {
    "python": [sys.executable, "-c", _PYTHON],
    "ruby": ["ruby", "-I", str(EXAMPLES / "ruby"), "-e", _RUBY],
}


def _case(
    body: bytes = BODY, header: str = GOOD, secret: str | list[str] = "secret", now: int = NOW
) -> dict[str, object]:
    return {"body": body.decode(), "header": header, "secret": secret, "now": now}


ACCEPTED = {
    "as it was signed": _case(),
    "five minutes old": _case(now=NOW + 300),
    "five minutes ahead": _case(now=NOW - 300),
    "a secret from a file that ends with a line break": _case(secret="secret\n"),
    "a secret with white space around it": _case(secret=" \tsecret\r\n"),
    "the first of two secrets": _case(secret=["secret", "next"]),
    "the second of two secrets": _case(secret=["next", "secret\n"]),
}
REJECTED = {
    "another body": _case(body=BODY + b" "),
    "another secret": _case(secret="Secret"),
    "none of two secrets": _case(secret=["next", "last"]),
    "no secret": _case(secret=[]),
    "an empty secret": _case(header=sign(BODY, "", NOW), secret=["", " \n"]),
    "sent again later": _case(now=NOW + 301),
    "dated ahead": _case(now=NOW - 301),
    "an old one dated anew": _case(header=f"t={NOW},{OLD.split(',')[1]}"),
    "no signature": _case(header=f"t={NOW}"),
    "an empty signature": _case(header=f"t={NOW},v1="),
    "no header": _case(header=""),
    "no time": _case(header=GOOD.split(",")[1]),
    "a time without an end": _case(header=f"t={'1' * 5000},v1={GOOD.partition('v1=')[2]}"),
    "a time in other digits": _case(header=GOOD.replace("8", "٨")),
    "a time with a sign": _case(header=GOOD.replace("t=", "t=+")),
    "a signature that is not ASCII": _case(header=f"t={NOW},v1=ü"),
}


@pytest.mark.parametrize("language", ["python", "ruby"])
def test_only_genuine_callbacks_are_taken(language: str) -> None:
    if shutil.which(_ASK[language][0]) is None:
        pytest.skip("Ruby is not installed")
    cases = [*ACCEPTED.values(), *REJECTED.values()]
    done = subprocess.run(
        _ASK[language],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        cwd=EXAMPLES / language,
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    taken = json.loads(done.stdout)
    wrongly = [name for name, good in zip(ACCEPTED, taken, strict=False) if not good]
    assert wrongly == []
    wrongly = [name for name, good in zip(REJECTED, taken[len(ACCEPTED) :], strict=True) if good]
    assert wrongly == []
