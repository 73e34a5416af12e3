"""What AWS refuses, said as one sentence: what failed, why, what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
)

from video_production.errors import OperatorError, VideoProductionError

__all__ = ["NO_CREDENTIALS", "NO_REGION", "code_of", "denied", "sentence", "told", "unreachable"]

NO_CREDENTIALS = (
    "No AWS credentials were found. Name a profile with AWS_PROFILE, sign in with aws sso login, or set "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
NO_REGION = (
    "No AWS region is set. Set AWS_REGION to the one that the environment was deployed to, or region in your AWS "
    "profile."
)
_EXPIRED_WORDS = (
    "The AWS credentials have expired. Sign in again (with single sign-on: aws sso login), then run the same command "
    "again."
)
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN = {
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_SKEWED = {"RequestTimeTooSkewed", "InvalidSignatureTime"}
_DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "403", "Forbidden", "UnauthorizedOperation"}
_WHO_WHAT = re.compile(
    r"(?:User: )?(?P<who>arn:\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<what>\S+))?"
)
_UNREACHABLE = (
    ConnectTimeoutError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)


def code_of(error: BaseException) -> str:
    """The error code that AWS answered with; empty for anything else."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def denied(error: BaseException) -> bool:
    """Whether AWS said that this identity may not do it."""
    return code_of(error) in _DENIED


def unreachable(error: BaseException) -> bool:
    """Whether nothing answered at all."""
    return isinstance(error, _UNREACHABLE)


def sentence(error: BaseException) -> str | None:
    """What to say about a failure that a person can mend; None for one that repeating may cure, or that is a bug."""
    return _sentence_of_credentials(error) or _sentence_of_answer(error)


@contextmanager
def told() -> Iterator[None]:
    """Turn boto3's errors into one sentence each, also those that the library has wrapped already."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        words = str(error).splitlines()[0].rstrip(".:")
        raise OperatorError(sentence(error) or f"AWS could not carry this out: {words}.") from error
    except VideoProductionError as error:
        cause = error.__cause__
        better = sentence(cause) if cause else None
        if cause is None or better is None or (denied(cause) and not _WHO_WHAT.search(str(cause))):
            raise  # what the library says of it is as good, and it knows the object
        raise OperatorError(better) from error


def _sentence_of_credentials(error: BaseException) -> str | None:
    if isinstance(error, ProfileNotFound):
        name = error.kwargs.get("profile", "")
        return f"There is no AWS profile '{name}', which AWS_PROFILE names; aws configure list-profiles lists them."
    if isinstance(error, (SSOError, TokenRetrievalError)):
        return (
            "The AWS single sign-on session has ended. Run aws sso login (with --profile where you use one), then the "
            "same command again."
        )
    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return NO_CREDENTIALS
    if isinstance(error, CredentialRetrievalError):
        return f"The AWS credentials could not be fetched: {error}. Sign in again, then run the same command again."
    return NO_REGION if isinstance(error, NoRegionError) else None


def _sentence_of_answer(error: BaseException) -> str | None:
    if unreachable(error) and isinstance(error, BotoCoreError):
        where = error.kwargs.get("endpoint_url") or "AWS"
        return f"{where} can't be reached. Check the network and the region, then run the same command again."
    code = code_of(error)
    if code in _EXPIRED:
        return _EXPIRED_WORDS
    if code in _UNKNOWN:
        return (
            "AWS does not know these credentials. They may be deleted or mistyped: check AWS_PROFILE, "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    if code in _SKEWED:
        return "AWS refuses the request because this machine's clock is wrong. Set the clock, then try again."
    return _denial(error) if isinstance(error, ClientError) and code in _DENIED else None


def _denial(error: ClientError) -> str:
    found = _WHO_WHAT.search(str(error.response.get("Error", {}).get("Message", "")))
    if found is None:
        return (
            f"AWS does not allow {error.operation_name} to these credentials. Ask for that permission, or use others."
        )
    what = f" on {found['what'].rstrip('.')}" if found["what"] else ""
    return f"AWS does not allow {found['action']}{what} to {found['who']}. Ask for it, or use other credentials."
