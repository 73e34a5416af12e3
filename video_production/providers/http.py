"""HTTP to generation providers: requests that cost money, and requests that don't.

    paid_request   one POST: fresh connection, no redirect, no retry of any library, a total time that is enforced.
                   Raises ProviderRefused (nothing was made) or ProviderAmbiguous (it may have been paid), nothing else.
    free_request   a request that costs nothing, repeated a few times where repeating may help: a look, a download, an
                   upload, a cancellation. Raises ProviderUnreachable.
    free_json      the same, for an answer that is to be a JSON object.

What a failure means:

    no connection, TLS handshake failed, time over before sending   ProviderRefused, with `retry_after`
    429                                                             ProviderRefused, with `retry_after`; final where
                                                                    the account is at fault (a limit of the day)
    any other 4xx but 408 and an unexplained 409                    ProviderRefused, final
    3xx, 408, unexplained 409, 5xx, reset, timeout, answer cut off  ProviderAmbiguous

Nothing is taken from the process environment: no proxies, no `.netrc`. A network that inspects TLS needs its own
certificate authority, which the caller passes as `ca_bundle`. Error texts are made of fixed words and of what the
provider said, never of request headers or URLs: keys and signatures don't reach logs.
"""

from __future__ import annotations

import email.utils
import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from video_production.errors import OperatorError, ProviderAmbiguous, ProviderRefused, ProviderUnreachable
from video_production.metrics import Report, unreported
from video_production.providers.exchange import Answer, Call, InterruptedExchangeError

__all__ = ["Answer", "Explain", "Explanation", "ProviderHttp"]

FREE_ATTEMPTS = 4
LONGEST_WAIT = 3600.0
"""A provider that asks for a longer pause than this, in seconds, is asked again after this."""
_REPEATABLE = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a provider's error answer means: one sentence for a person, the provider's own code.

    `understood` is false where the provider gave no code that its module knows. `account` tells that the account or its
    key is at fault: no request of it would be accepted.
    """

    message: str
    code: str = ""
    understood: bool = False
    account: bool = False


Explain = Callable[[int, bytes], Explanation]
"""From an error answer's status and body to what it means."""


class ProviderHttp:
    """Requests to one provider. `name` is its code name, `label` what people call it.

    `retry_delay` gives the seconds to wait after a refusal that tells no time of its own; `jitter` is added to the
    provider's own. `ca_bundle` is the path of certificate authorities to trust instead of the public ones.
    """

    def __init__(
        self,
        name: str,
        label: str,
        *,
        ca_bundle: str | None = None,
        retry_delay: Callable[[], float] = lambda: random.uniform(5.0, 15.0),
        jitter: Callable[[], float] = lambda: random.uniform(0.0, 1.0),
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        report: Report = unreported,
    ) -> None:
        if ca_bundle and not Path(ca_bundle).exists():
            raise OperatorError(f"The certificate bundle {ca_bundle} does not exist; correct REQUESTS_CA_BUNDLE.")
        self.name = name
        self.label = label
        self._verify: bool | str = ca_bundle or True
        self._retry_delay = retry_delay
        self._jitter = jitter
        self._sleep = sleep
        self._clock = clock
        self._now = now
        self._report = report

    def paid_request(
        self,
        url: str,
        body: Mapping[str, Any],
        *,
        headers: Mapping[str, str],
        budget: float,
        explain: Explain,
        params: Mapping[str, str] | None = None,
        into: IO[bytes] | None = None,
        limit: int = 1 << 20,
    ) -> Answer:
        """POST `body` as JSON exactly once and return the 2xx answer; its body goes to `into` where that is given.

        `budget` is the total time in seconds, `limit` the largest body in bytes. Raises ProviderRefused or
        ProviderAmbiguous as the module's table says.
        """
        call = Call("submit", "POST", url, headers, params, body, into, limit, follow=False)
        try:
            answer = self._exchange(call, budget)
        except InterruptedExchangeError as cut:
            if cut.sent:
                raise self.ambiguous(cut.why) from None
            raise ProviderRefused(
                f"{self.label} could not be reached, nothing was sent: {cut.why}.",
                provider=self.name,
                code="not_sent",
                retry_after=self._retry_delay() if cut.curable else None,
            ) from None
        if 200 <= answer.status < 300:
            return answer
        explanation = explain(answer.status, answer.content)
        if not _definite(answer.status, explanation):
            raise self.ambiguous(f"HTTP {answer.status}", code=explanation.code, http_status=answer.status)
        raise ProviderRefused(
            explanation.message,
            provider=self.name,
            code=explanation.code,
            http_status=answer.status,
            retry_after=self._retry_after(answer) if answer.status == 429 and not explanation.account else None,
            account=explanation.account,
        )

    def free_request(
        self,
        url: str,
        *,
        explain: Explain,
        operation: str = "read",
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        data: IO[bytes] | None = None,
        budget: float = 30.0,
        into: IO[bytes] | None = None,
        limit: int = 1 << 20,
        follow: bool = False,
        given_by: str = "",
    ) -> Answer:
        """Ask for something free and return the 2xx answer, repeating after 408, 425, 429, 5xx and broken connections.

        What is sent is `body` as JSON, or the file `data`, from its start at each repetition. `budget` is the total
        time in seconds of all repetitions. With `into`, the answer is streamed there, from the start of the file at
        each repetition. `follow` allows redirects: never together with a key in `headers`. `given_by` is the base URL
        of the API whose answer named `url`, where one did: what an API on https names must be https itself and on the
        public internet, redirects included, so that no answer has this machine ask its own network.
        `operation` names the request in the metric of latencies.
        Raises ProviderUnreachable, with the provider's code and HTTP status where it answered.
        """
        public = given_by.lower().startswith("https://")
        call = Call(operation, method, url, headers or {}, params, body, into, limit, follow, data, public)
        deadline = self._clock() + budget
        pause = 0.5
        for attempts_left in range(FREE_ATTEMPTS - 1, -1, -1):
            failure, wait, curable = self._try_free(call, deadline - self._clock(), explain, pause)
            if isinstance(failure, Answer):
                return failure
            if not curable or not attempts_left or self._clock() + wait >= deadline:
                raise failure
            self._sleep(wait)
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def free_json(self, url: str, **options: Any) -> dict[str, Any]:
        """A free request whose answer is a JSON object; `options` are those of `free_request`.

        Raises ProviderUnreachable, for any other answer, too.
        """
        answer = self.free_request(url, **options)
        try:
            content = json.loads(answer.content)
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise self.unreachable(f"{self.label} gave an unreadable answer.", http_status=answer.status)
        return content

    def ambiguous(self, why: str, *, code: str = "", http_status: int | None = None) -> ProviderAmbiguous:
        """The error for a paid request whose outcome is not known."""
        return ProviderAmbiguous(
            f"{self.label} gave no usable answer to a paid request ({why}); it may have been carried out and paid, "
            "so its result is looked for before anything is sent again.",
            provider=self.name,
            code=code,
            http_status=http_status,
        )

    def unreachable(self, message: str, *, code: str = "", http_status: int | None = None) -> ProviderUnreachable:
        """The error for a free request that failed."""
        return ProviderUnreachable(message, provider=self.name, code=code, http_status=http_status)

    def _try_free(
        self, call: Call, budget: float, explain: Explain, pause: float
    ) -> tuple[Answer | ProviderUnreachable, float, bool]:
        """One attempt: the answer or the failure, the seconds to wait, and whether waiting may help."""
        if call.into is not None:
            call.into.seek(0)
            call.into.truncate()
        if call.data is not None:
            call.data.seek(0)
        wait = pause + pause * self._jitter()
        try:
            answer = self._exchange(call, budget)
        except InterruptedExchangeError as cut:
            return self.unreachable(f"{self.label} could not be reached: {cut.why}."), wait, cut.curable
        if 200 <= answer.status < 300:
            return answer, 0.0, False
        explanation = explain(answer.status, answer.content)
        failure = self.unreachable(explanation.message, code=explanation.code, http_status=answer.status)
        asked = _asked_wait(answer.headers, self._now())
        repeatable = answer.status in _REPEATABLE or answer.status >= 500
        return failure, wait if asked is None else asked + self._jitter(), repeatable

    def _retry_after(self, answer: Answer) -> float:
        asked = _asked_wait(answer.headers, self._now())
        return self._retry_delay() if asked is None else asked + self._jitter()

    def _exchange(self, call: Call, budget: float) -> Answer:
        """Send one request, with its metrics. Raises InterruptedExchangeError alone."""
        # A function that has nothing to send shall not wait for `requests` when it starts.
        from video_production.providers.sending import send

        began = self._clock()
        status: int | None = None
        try:
            answer = send(call, self._verify, budget)
            status = answer.status
            return answer
        finally:
            self._report("ProviderCalls", provider=self.name)
            latency = 1000 * (self._clock() - began)
            self._report("ProviderLatency", latency, provider=self.name, operation=call.operation)
            if status is None or status >= 500:
                self._report("ProviderErrors", provider=self.name)
            elif status == 429:
                self._report("RateLimited", provider=self.name)


def _definite(status: int, explanation: Explanation) -> bool:
    if status == 409:
        return explanation.understood
    return 400 <= status < 500 and status != 408


def _asked_wait(headers: Mapping[str, str], now: float) -> float | None:
    """The seconds that a `Retry-After` header asks for (a number or a date); None without a usable one."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except (ValueError, OverflowError):
            return None
    return min(max(seconds, 0.0), LONGEST_WAIT) if math.isfinite(seconds) else None
