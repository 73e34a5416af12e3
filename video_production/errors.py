"""Every failure of the product, as one tree.

    VideoProductionError
    ├── InputError                what the user gave us is wrong; never retried
    │   ├── DocumentError         a pipeline document, with every problem and its path
    │   ├── MediaError            a media file that is unreadable, truncated, or of a kind that does not fit
    │   └── RequestError          an event or a command that makes no sense
    │       └── NotFound          it names a pipeline or a node that does not exist
    ├── ProviderError             a generation provider answered (or did not)
    │   ├── ProviderRefused       definite refusal: nothing was made, nothing was paid
    │   ├── ProviderAmbiguous     the request may have been carried out and paid
    │   ├── ProviderJobFailed     an accepted job ended without a result
    │   └── ProviderUnreachable   a free call (check, download, look-up) failed; repeat it
    ├── MayHaveBeenPaid           a take whose last attempt can't be decided by a machine
    ├── BudgetExceeded            a budget has no room for a request, so it was not sent
    ├── OperatorError             the installation is wrong: permissions, secrets, disk
    │   └── SecretMissing         a provider's key has no value
    ├── TransientError            AWS or the network hiccuped; Step Functions retries it by this name
    ├── VerificationFailed        a file that we made did not pass its check by decoding
    ├── OutOfTime                 the work would not fit, or did not fit, its time limit
    ├── Cancelled                 a person cancelled the pipeline; what is finished stays
    └── Superseded                the writer's fence is no longer current; ends quietly, changes nothing

Each class says who must act (`who`: caller, provider or operator) and whether money may have been spent
(`may_have_been_paid`). `str(error)` is one sentence for a person: what failed, where, why, what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

__all__ = [
    "BudgetExceeded",
    "Cancelled",
    "DocumentError",
    "InputError",
    "MayHaveBeenPaid",
    "MediaError",
    "NotFound",
    "OperatorError",
    "OutOfTime",
    "Problem",
    "ProviderAmbiguous",
    "ProviderError",
    "ProviderJobFailed",
    "ProviderRefused",
    "ProviderUnreachable",
    "RequestError",
    "SecretMissing",
    "Superseded",
    "TransientError",
    "VerificationFailed",
    "VideoProductionError",
    "Who",
]

Who = Literal["caller", "provider", "operator"]


class VideoProductionError(Exception):
    """Base of everything that the product raises on purpose."""

    who: ClassVar[Who] = "operator"
    may_have_been_paid: ClassVar[bool] = False


class InputError(VideoProductionError):
    """What the user gave us is wrong. Answered with status 400; never retried."""

    who: ClassVar[Who] = "caller"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    `path` leads to it (`nodes.intro-voice.config.voiceId`); `message` says what, why and what to do.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class DocumentError(InputError):
    """A pipeline document is wrong; `problems` lists everything at once."""

    def __init__(self, document: str, problems: list[Problem]) -> None:
        self.document = document
        self.problems = problems
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__("\n".join([f"{document}: {count}, nothing was made or paid", *(f"  {p}" for p in problems)]))


class MediaError(InputError):
    """A media file can't be used as it is."""


class RequestError(InputError):
    """An event or a command makes no sense."""


class NotFound(RequestError):
    """What was named does not exist."""


class ProviderError(VideoProductionError):
    """A provider's answer, or the lack of one. `code` is the provider's own word; `http_status` its status."""

    who: ClassVar[Who] = "provider"

    def __init__(self, message: str, *, provider: str, code: str = "", http_status: int | None = None) -> None:
        super().__init__(message)
        self.provider = provider
        self.code = code
        self.http_status = http_status


class ProviderRefused(ProviderError):
    """A definite refusal: nothing was made, nothing was paid.

    `retry_after` is the number of seconds after which the same request may be sent again; None means never by itself.
    `fallback` names another way of buying the same take which the provider module knows (ElevenLabs: "timed").
    `account`: the fault is the account's or its key's, not the request's.
    """

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        code: str = "",
        http_status: int | None = None,
        retry_after: float | None = None,
        fallback: str | None = None,
        account: bool = False,
    ) -> None:
        super().__init__(message, provider=provider, code=code, http_status=http_status)
        self.retry_after = retry_after
        self.fallback = fallback
        self.account = account


class ProviderAmbiguous(ProviderError):
    """The answer to a paid request was lost or unreadable: it may have been carried out and paid."""

    may_have_been_paid: ClassVar[bool] = True


class ProviderJobFailed(ProviderError):
    """An accepted job ended without a result. `charged` says whether the provider bills it (None: not known)."""

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        code: str = "",
        http_status: int | None = None,
        charged: bool | None = None,
    ) -> None:
        super().__init__(message, provider=provider, code=code, http_status=http_status)
        self.charged = charged


class ProviderUnreachable(ProviderError):
    """A free call failed in a way that a repetition may cure. Nothing is lost."""


class MayHaveBeenPaid(VideoProductionError):
    """A machine can't decide whether the last attempt was paid; a person does, with `resolve`."""

    may_have_been_paid: ClassVar[bool] = True


class BudgetExceeded(VideoProductionError):
    """The budget of a pipeline or of a month has no room for a request. Nothing was sent; other branches finish."""

    who: ClassVar[Who] = "caller"


class OperatorError(VideoProductionError):
    """The installation is wrong: permissions, secrets, disk space."""


class SecretMissing(OperatorError):
    """A provider's key has no value."""


class TransientError(VideoProductionError):
    """AWS or the network hiccuped. State machines retry this class by its name."""


class VerificationFailed(VideoProductionError):
    """A file that we made does not decode to what was meant. It is never called completed; the fault is ours."""


class OutOfTime(VideoProductionError):
    """The work would not fit, or did not fit, its time limit."""


class Cancelled(VideoProductionError):
    """A person cancelled the pipeline: the work stops, what is finished stays."""

    who: ClassVar[Who] = "caller"


class Superseded(VideoProductionError):
    """The writer's fence is no longer current: somebody else owns the node now. Ends quietly."""
