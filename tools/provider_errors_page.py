"""The page docs/provider-errors.md: every error of every provider as people read it.

Each error is made to happen: an answer with its code goes through the module that explains it and through the HTTP
side that decides what it means for the money. What has no code is read from the source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tools.error_sentences import Said, sentences_of
from tools.error_specimens import SPECIMENS, Failed, Specimen
from video_production import errors
from video_production.errors import ProviderAmbiguous, ProviderRefused
from video_production.providers.exchange import Answer, Call, InterruptedExchangeError
from video_production.providers.http import ProviderHttp
from video_production.settings import PROVIDER_FACTS, PROVIDERS
from video_production.takes.following import undecided

__all__ = ["NOBODY", "Row", "after_answers", "provider_errors_page", "rows_of", "who_must_act"]

AUTHOR, OWNER, ANYBODY = "author", "owner", "anybody"
NOBODY, PERSON = "nobody", "a person decides"
NOTHING, SPENT, PERHAPS = "nothing was spent", "it was charged", "it may have been charged"
NO_MORE = "nothing more is spent"
_SAID = "…"
_UNSENT = "nothing was sent"

_HEAD = """\
# Errors of the providers

Generated (`.venv/bin/python -m tools.generate_docs`): each error below was made to happen, and stands here as people
read it in the terminal, in a node's `error` and in events. `…` is what the provider itself says, or a name or number.

Who must act:

| | |
|---|---|
| **author** | of the pipeline document: change what the sentence names, and produce it again |
| **owner** | of the provider's account, its key or this installation; then `retry` |
| **anybody** | `retry` is all that it takes |
| **nobody** | it goes on by itself |
| **a person decides** | look it up at the provider, then `resolve` with `--adopt ID`, `--pay-again` or `--give-up` |

A second request is never sent while the first may have been paid. [errors](errors.md) has the classes;
[providers](providers.md#errors) says what each HTTP status means for the money.

"""
_TABLE = "| code | what people read | who must act | money |\n|---|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class Row:
    """One error: `part` is the heading that it stands under."""

    part: str
    code: str
    sentence: str
    who: str
    money: str


def provider_errors_page() -> str:
    """The whole page."""
    parts = [_HEAD, "## Whoever the provider is\n\n", _TABLE, *_lines(_common())]
    for name in PROVIDERS:
        parts.append(f"\n## {PROVIDER_FACTS[name].title}\n")
        rows = rows_of(name)
        for part in dict.fromkeys(row.part for row in rows):
            parts += [f"\n**{part}**\n\n", _TABLE, *_lines([row for row in rows if row.part == part])]
    return "".join(parts)


def rows_of(provider: str) -> list[Row]:
    """Every error of one provider."""
    specimen = SPECIMENS[provider]()
    said = sentences_of(f"video_production.providers.{provider}")
    return [
        *_before(said),
        *after_answers(provider, specimen),
        *_lost(provider, said),
        *_ended(specimen),
        *_looks(said),
    ]


def who_must_act(sentence: str) -> str:
    """Who a sentence asks to do something, by its own words; "" where it asks nobody."""
    for who, words in _WORDS:
        if words.search(sentence):
            return who
    return ""


_WORDS = (
    (NOBODY, re.compile(r"by itself|is asked for|tried again|goes on")),
    (
        OWNER,
        re.compile(
            r"Set the secret|Top it up|Upgrade the plan|Allow it|Give (it|them) |Enable it|Set one up|"
            r"[Cc]orrect VEO3_|set VEO3_|set it up again|have the tier raised|Use a paid plan|Check its balance|"
            r"free some|takes; add it|Give it to the key|in VEO3_|Storage Object|give the function|monthly budget"
        ),
    ),
    (
        AUTHOR,
        re.compile(
            r"\b[Cc]orrect |\b[Cc]hoose |\b[Cc]hange |\b[Rr]eword|\b[Ss]horten|\b[Ss]plit|\b[Gg]ive |\b[Ww]rite |"
            r"\b[Ll]eave |\b[Rr]emove |\b[Pp]lug |\b[Mm]ake it anew|\badd |it makes |\b[Cc]heck the node|\b[Tt]ake out|"
            r"\b[Uu]se |\b[Cc]ut |\btakes at most"
        ),
    ),
    (ANYBODY, re.compile(r"\b[Rr]etry\b|[Tt]ry again|[Mm]ake room")),
)


# --- each part of a provider ----------------------------------------------------------------------------------------


def _before(said: list[Said]) -> Iterator[Row]:
    """What is found before anything is sent."""
    kinds = {"RequestError": AUTHOR, "MediaError": AUTHOR, "OperatorError": OWNER, "SecretMissing": OWNER}
    for one in said:
        if one.kind in kinds:
            yield Row("Before anything is sent", "", one.text, kinds[one.kind], NOTHING)
        elif one.kind in ("TransientError", "ProviderRefused") or _UNSENT in one.text:
            yield Row("Before anything is sent", "", one.text, who_must_act(one.text) or NOBODY, NOTHING)


def after_answers(provider: str, specimen: Specimen) -> Iterator[Row]:
    """Error answers to the paid request: each code with a status that fits it, then each status without a code."""
    for code, template in specimen.refusals.items():
        fitting = next((known for known, one in specimen.statuses.items() if one == template), 400)
        status = 500 if "internal error" in template or "maintenance" in template else fitting
        status = specimen.usual.get(code, status)
        yield _answered(provider, specimen, code, status)
    for status in (*specimen.statuses, 500):
        yield _answered(provider, specimen, "", status)


def _answered(provider: str, specimen: Specimen, code: str, status: int) -> Row:
    body = json.dumps(specimen.answer(code, _SAID)).encode() if code else b""
    error = _paid(provider, Answer(status, {}, body), specimen)
    shown = code or f"HTTP {status}"
    if isinstance(error, ProviderAmbiguous):
        return Row("Answers that do not say whether it was paid", shown, str(error), NOBODY, PERHAPS)
    who = OWNER if error.account else NOBODY if error.retry_after is not None else who_must_act(str(error))
    return Row("Refused", shown, str(error), who, NOTHING)


def _lost(provider: str, said: list[Said]) -> Iterator[Row]:
    """Answers that were lost, and what is found when the job is looked for."""
    http = ProviderHttp(provider, PROVIDER_FACTS[provider].title)
    for one in said:
        if one.kind == "ambiguous":
            sentence = str(http.ambiguous(one.text))
            yield Row("Answers that do not say whether it was paid", "", sentence, NOBODY, PERHAPS)
    for one in said:
        sentence = undecided(PROVIDER_FACTS[provider].title, one.text)
        if one.kind in ("Unknown", "ProviderJobFailed"):
            yield Row("What can't be decided by a machine", "", sentence, PERSON, PERHAPS)


def _ended(specimen: Specimen) -> Iterator[Row]:
    """Jobs that were accepted and ended without a result."""
    told = {code: specimen.failed(code, _SAID) for code in specimen.failures} | dict(specimen.others)
    for code, failed in told.items():
        yield Row("Jobs that failed", code or "none", failed.sentence, who_must_act(failed.sentence), _money(failed))


def _money(failed: Failed) -> str:
    return PERHAPS if failed.charged is None else SPENT if failed.charged else NOTHING


def _looks(said: list[Said]) -> Iterator[Row]:
    """What goes wrong while a job is followed, which loses nothing: the next look repeats it."""
    for one in said:
        if one.kind in ("unreachable", "ProviderUnreachable", "Explanation") and _UNSENT not in one.text:
            yield Row("While a job is followed", "", one.text, who_must_act(one.text) or NOBODY, NO_MORE)


def _common() -> Iterator[Row]:
    """What can happen with every provider."""
    title = "HeyGen"
    for why, sent in (("the connection was refused", False), ("the connection was cut", True)):
        error = _paid("heygen", InterruptedExchangeError(why, sent=sent), SPECIMENS["heygen"]())
        yield Row("", "", str(error), NOBODY, PERHAPS if sent else NOTHING)
    yield Row("", "", undecided(title, "its answer was lost"), PERSON, PERHAPS)
    for one in (*sentences_of("video_production.providers.workplace"), *sentences_of("video_production.takes")):
        kind = getattr(errors, one.kind, None)
        if isinstance(kind, type) and issubclass(kind, errors.VideoProductionError) and one.kind not in _QUIET:
            yield Row("", one.kind, one.text, *_bought(kind, one.text))


_QUIET = ("Superseded", "TransientError")
"""What the machines settle among themselves."""


def _bought(kind: type[errors.VideoProductionError], sentence: str) -> tuple[str, str]:
    """Who must act on what the money protocol says itself, and what became of the money."""
    if kind.may_have_been_paid:
        return PERSON, PERHAPS
    if issubclass(kind, errors.Cancelled):
        return NOBODY, PERHAPS if sentence.startswith("Cancelled at") else NOTHING
    rights = {"caller": AUTHOR, "operator": OWNER}
    return who_must_act(sentence) or rights.get(kind.who, ANYBODY), NOTHING


class _Staged(ProviderHttp):
    """An HTTP side whose one request has one outcome."""

    def __init__(self, provider: str, outcome: Answer | InterruptedExchangeError) -> None:
        super().__init__(provider, PROVIDER_FACTS[provider].title, retry_delay=lambda: 10.0, jitter=lambda: 0.0)
        self._outcome = outcome

    def _exchange(self, call: Call, budget: float) -> Answer:  # noqa: ARG002 - nothing is sent
        if isinstance(self._outcome, InterruptedExchangeError):
            raise self._outcome
        return self._outcome


def _paid(
    provider: str, outcome: Answer | InterruptedExchangeError, specimen: Specimen
) -> ProviderRefused | ProviderAmbiguous:
    """What a paid request with this outcome raises."""
    http = _Staged(provider, outcome)
    try:
        http.paid_request("https://provider", {}, headers={}, budget=1.0, explain=specimen.explain)
    except (ProviderRefused, ProviderAmbiguous) as error:
        return error
    raise AssertionError("a paid request that fails raises")


def _lines(rows: Iterable[Row]) -> Iterator[str]:
    """Rows of a table; what reads the same stands there once, with all its codes."""
    codes: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        codes.setdefault((row.sentence, row.who, row.money), []).append(f"`{row.code}`" if row.code else "")
    for (sentence, who, money), known in codes.items():
        yield f"| {', '.join(filter(None, known))} | {sentence} | {who} | {money} |\n"
