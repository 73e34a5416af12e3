"""The CDK app around the stack: which environment, with whose code, checked by which rules.

Context: `environments` (in cdk.json), `environment`, `overrides` (see stacks/settings.py), and `bundle_for`: `lambda`,
or `local` to package the functions for this machine's Python, where an emulator runs them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from stacks.assets import Assets, BundledAssets
from stacks.settings import EnvironmentSettings, SettingsError, read_settings
from stacks.video_production_stack import VideoProductionStack
from tools.bundles import Target
from video_production.errors import OperatorError

__all__ = ["add_environment", "context_of_checkout", "main", "synthesise"]

_CDK_JSON = Path(__file__).resolve().parent.parent / "cdk.json"


def main() -> int:
    """Synthesise the environment that was chosen; wrong settings are told without a traceback."""
    by_command_line = "CDK_CONTEXT_JSON" in os.environ
    app = cdk.App(context=None if by_command_line else context_of_checkout())
    try:
        add_environment(app)
    except (SettingsError, OperatorError) as error:
        print(error, file=sys.stderr)
        return 1
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
    settings = read_settings(*(app.node.try_get_context(key) for key in ("environments", "environment", "overrides")))
    stack = VideoProductionStack(app, settings=settings, assets=assets or BundledAssets(_target(app, settings)))
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return stack


def _target(app: cdk.App, settings: EnvironmentSettings) -> Target:
    chosen = app.node.try_get_context("bundle_for") or "lambda"
    if chosen not in ("lambda", "local"):
        raise SettingsError((f"bundle_for is '{chosen}'; it must be 'lambda' or 'local'.",))
    return "local" if chosen == "local" else settings.architecture
