"""The page docs/errors.md, made from the tree of errors and from the words that ElevenLabs' errors become."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping

from video_production import errors
from video_production.providers.elevenlabs import refusals

__all__ = ["error_page"]

_HEAD = """\
# Errors

Generated from [errors.py](../video_production/errors.py) and
[refusals.py](../video_production/providers/elevenlabs/refusals.py) (`.venv/bin/python -m tools.generate_docs`).

What people read is one sentence: what failed, where, why, what to do. Programs find the class as `error_type`: in the
events of `produce --json`, in a node's `metadata`, and in the merger's answer to a direct caller.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the document, the command or this machine is wrong; the sentence says which |
| 2 | a node failed |
| 3 | interrupted or cancelled; run the same command again |

"""
_TREE = """\
## The tree

```text
{tree}
```

| class | who must act | may have been paid | meaning |
|---|---|---|---|
"""
_CODES = """
## ElevenLabs

Each code of an error body with the sentence that it becomes. `{voice}`, `{model}` and `{secret}` are filled in,
`{said}` with what ElevenLabs said (one line, never the key). What an error means for the money:
[providers](providers.md#errors).

| code | sentence |
|---|---|
"""
_STATUSES = "\nWithout a known code:\n\n| HTTP status | sentence |\n|---|---|\n"
_JOBS = "\nA job that ended without a voiceover; `Nothing was charged.` is added:\n\n| reason | sentence |\n|---|---|\n"


def error_page() -> str:
    """The whole page."""
    return "".join(
        [
            _HEAD,
            _TREE.format(tree=_drawing()),
            *_rows(errors.VideoProductionError),
            _CODES,
            *_sentences(refusals._BY_CODE),
            _STATUSES,
            *_sentences({str(status): sentence for status, sentence in refusals._BY_STATUS.items()}),
            _JOBS,
            *_sentences(refusals._FAILURES),
        ]
    )


def _drawing() -> str:
    """The drawing at the head of errors.py."""
    lines = inspect.cleandoc(errors.__doc__ or "").splitlines()
    drawn = [line for line in lines if line.startswith("    ")]
    return inspect.cleandoc("\n".join(drawn))


def _rows(kind: type[errors.VideoProductionError]) -> Iterator[str]:
    meaning = " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())
    paid = "yes" if kind.may_have_been_paid else "no"
    yield f"| `{kind.__name__}` | {kind.who} | {paid} | {meaning} |\n"
    for child in kind.__subclasses__():
        if child.__name__ in errors.__all__:
            yield from _rows(child)


def _sentences(known: Mapping[str, str]) -> Iterator[str]:
    for code, sentence in known.items():
        yield f"| `{code}` | {sentence} |\n"
