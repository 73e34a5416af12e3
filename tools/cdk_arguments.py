"""Look at the arguments of `./cdk` before the CDK does, and stop what would do something else than was meant.

Usage: python -m tools.cdk_arguments ARGUMENTS…

The CDK ignores options that it does not know, so `--environment production` would act on development. And it learns
that there are no credentials when everything is packaged. Asks neither AWS nor the network, but where credentials come
from a program or from the machine itself.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from video_production.cli.aws.refusals import NO_CREDENTIALS, told
from video_production.errors import OperatorError
from video_production.settings import ENVIRONMENTS

__all__ = ["Arguments", "check", "main", "read"]

_KNOWN_TO_THE_CDK = Path("node_modules/aws-cdk/lib/cli/cli-type-registry.json")
"""Commands and options, as the pinned CDK lists them for its own parser."""
_EVERYWHERE = ("help", "version")
_OURS = {"environment": "environment", "env": "environment", "overrides": "overrides", "bundle-for": "bundle_for"}
"""What somebody may take for an option, and the context key that it is."""
_ASKING_AWS = (
    "bootstrap", "deploy", "destroy", "diagnose", "diff", "drift", "gc", "import", "orphan", "publish-assets",
    "refactor", "rollback", "watch",
)  # fmt: skip
_WITHOUT_AWS = {"bootstrap": "show-template", "diff": "template"}
"""Options with which such a command asks nothing."""


@dataclass
class Arguments:
    """The command (empty where none is named) and its options by their long names, every value as it was given."""

    command: str = ""
    options: dict[str, list[str]] = field(default_factory=dict)

    @property
    def environment(self) -> bool:
        """Whether an environment is chosen."""
        return any(value.startswith("environment=") for value in self.options.get("context", ()))


def main() -> int:
    registry = json.loads(_KNOWN_TO_THE_CDK.read_text())
    try:
        check(read(sys.argv[1:], registry))
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read(words: Sequence[str], registry: dict[str, Any]) -> Arguments:
    """Take the words apart as the CDK does. Raises OperatorError for an option that it would ignore."""
    found, rest = Arguments(command=_command(words, registry)), list(words)
    known = {**registry["globalOptions"], **registry["commands"].get(found.command, {}).get("options", {})}
    aliases = {alias: name for name, each in known.items() for alias in _aliases(each)}
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if re.match(r"-c[^=]", word):
            raise OperatorError(f"The CDK does not read {word}; write -c {word[2:]}.")
        if not word.startswith("-"):
            continue
        name, assigned, value = word.lstrip("-").partition("=")
        name = aliases.get(name, _kebab(name))
        option = known.get(name)
        if word.startswith("--") and not {name, name.removeprefix("no-")} & {*known, *_EVERYWHERE}:
            _refuse(name, value or (rest[0] if rest else ""), found.command)
        if option and option["type"] != "boolean" and not assigned and rest:
            value = rest.pop(0)
        found.options.setdefault(name, []).append(value)
    return found


def check(given: Arguments) -> None:
    """Raise OperatorError where the environment to destroy is not named, or where there are no AWS credentials."""
    if given.options.keys() & {*_EVERYWHERE, "h"}:
        return
    if given.command == "destroy" and not given.environment and "app" not in given.options:
        raise OperatorError(
            "./cdk destroy needs to be told the environment: ./cdk destroy -c environment=NAME, with one of "
            f"{', '.join(ENVIRONMENTS)}."
        )
    if given.command not in _ASKING_AWS or "plugin" in given.options:
        return
    if _WITHOUT_AWS.get(given.command) not in given.options:
        _find_credentials(given.options.get("profile", [""])[-1])


def _find_credentials(profile: str) -> None:
    from botocore.session import Session  # most commands need none, and it takes a quarter of a second

    with told():
        if Session(profile=profile or None).get_credentials() is None:
            raise OperatorError(NO_CREDENTIALS)


def _command(words: Sequence[str], registry: dict[str, Any]) -> str:
    names = {alias: name for name, each in registry["commands"].items() for alias in (name, *each.get("aliases", ()))}
    return next((names[word] for word in words if word in names), "")


def _aliases(option: dict[str, Any]) -> list[str]:
    alias = option.get("alias") or []
    return [alias] if isinstance(alias, str) else alias


def _kebab(name: str) -> str:
    """The CDK takes `--requireApproval` for `--require-approval`."""
    return re.sub(r"(?<=[a-z])[A-Z]", lambda letter: f"-{letter[0].lower()}", name)


def _refuse(name: str, value: str, command: str) -> NoReturn:
    near = get_close_matches(name.lower().replace("_", "-"), _OURS, n=1, cutoff=0.75)
    if near:
        value = value if value and not value.startswith("-") else "…"
        raise OperatorError(f"There is no option --{name}; write -c {_OURS[near[0]]}={value}.")
    raise OperatorError(
        f"The CDK knows no option --{name}{f' for {command}' if command else ''} and would ignore it; "
        f"./cdk {command + ' ' if command else ''}--help lists what there is."
    )


if __name__ == "__main__":
    sys.exit(main())
