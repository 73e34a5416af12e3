"""The page docs/errors.md, made from the tree of errors."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from video_production import errors

__all__ = ["error_page"]

_HEAD = """\
# Errors

Generated from [errors.py](../video_production/errors.py) (`.venv/bin/python -m tools.generate_docs`). Every error of
every provider, as people read it: [errors of the providers](provider-errors.md).

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


def error_page() -> str:
    """The whole page."""
    return "".join([_HEAD, _TREE.format(tree=_drawing()), *_rows(errors.VideoProductionError)])


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
