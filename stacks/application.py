"""The CDK app around the stack: which environment, with whose code, checked by which rules.

Context: `environments` (in cdk.json), `environment`, `overrides` (see stacks/settings.py), and `bundle_for`: `lambda`,
or `local` to package the functions for this machine's Python, where an emulator runs them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from stacks.assets import Assets, BundledAssets
from stacks.settings import DEFAULT_ENVIRONMENT, EnvironmentSettings, SettingsError, read_settings
from stacks.video_production_stack import VideoProductionStack
from tools.bundles import Target
from video_production.errors import OperatorError

__all__ = ["add_environment", "context_of_checkout", "main", "synthesise"]

_CDK_JSON = Path(__file__).resolve().parent.parent / "cdk.json"
_CHOSEN = ("environment", "overrides", "bundle_for")
"""The context keys that are ours, besides the `environments` of cdk.json."""
_OF_THE_CDK = ("acknowledged-issue-numbers",)
"""What `cdk acknowledge` notes."""
_NOBODY_GETS_ALARMS = (
    "Warning: alarm_email is not set, so nobody is told of an alarm. Set it in cdk.json, or subscribe something else "
    "to the topic that the output AlarmTopicArn names."
)


def main() -> int:
    """Synthesise the environment that was chosen; wrong settings are told without a traceback."""
    by_command_line = "CDK_CONTEXT_JSON" in os.environ
    app = cdk.App(context=None if by_command_line else context_of_checkout())
    try:
        stack = add_environment(app)
    except (SettingsError, OperatorError) as error:
        print(error, file=sys.stderr)
        return 1
    print(_where(app, stack.settings), file=sys.stderr)
    if stack.settings.environment != DEFAULT_ENVIRONMENT and not stack.settings.alarm_email:
        print(_NOBODY_GETS_ALARMS, file=sys.stderr)
    app.synth()
    return 0


def synthesise(folder: Path, chosen: Mapping[str, Any], assets: Assets | None = None) -> Path:
    """Write one environment's templates and packages into `folder`, without the CDK's command line.

    `chosen` is laid over the context of `cdk.json`. Returns the template. Raises SettingsError and OperatorError.
    """
    app = cdk.App(context={**context_of_checkout(), **chosen}, outdir=str(folder))
    stack = add_environment(app, assets)
    app.synth()
    return folder / str(stack.template_file)


def context_of_checkout() -> dict[str, Any]:
    """The context of `cdk.json`, which only the CDK's command line reads by itself."""
    context: dict[str, Any] = json.loads(_CDK_JSON.read_text())["context"]
    return context


def add_environment(app: cdk.App, assets: Assets | None = None) -> VideoProductionStack:
    """Add the stack of the context's environment to `app`, under the rules of cdk-nag.

    Raises SettingsError, and OperatorError when a package can't be made. `assets` replaces the packages.
    """
    _refuse_unknown_keys(app.node.get_all_context())
    settings = read_settings(*(app.node.try_get_context(key) for key in ("environments", "environment", "overrides")))
    stack = VideoProductionStack(app, settings=settings, assets=assets or BundledAssets(_target(app, settings)))
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return stack


def _refuse_unknown_keys(context: Mapping[str, Any]) -> None:
    """A mistyped `-c` would mean development, in silence. The CDK's own keys have a colon or an @."""
    if isinstance(context.get("environments"), str):
        raise SettingsError(("-c environments=… is no choice of one; write -c environment=NAME.",))
    for key in context:
        if key in (*_CHOSEN, "environments", *_OF_THE_CDK) or ":" in key or "@" in key:
            continue
        near = get_close_matches(key.strip().lower(), _CHOSEN, n=1)
        meant = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(_CHOSEN[:-1])} and {_CHOSEN[-1]}."
        raise SettingsError((f"There is no context key '{key}'{meant}",))


def _where(app: cdk.App, settings: EnvironmentSettings) -> str:
    account = f", account {settings.account}" if settings.account else ""
    default = app.node.try_get_context("environment") is None
    hint = " (the default; -c environment=NAME chooses another)" if default else ""
    return f"Environment: {settings.environment}{hint}, {settings.region}{account}"


def _target(app: cdk.App, settings: EnvironmentSettings) -> Target:
    chosen = app.node.try_get_context("bundle_for")
    chosen = "lambda" if chosen is None else chosen
    if chosen not in ("lambda", "local"):
        raise SettingsError((f"bundle_for is '{chosen}'; it must be 'lambda' or 'local'.",))
    return "local" if chosen == "local" else settings.architecture
