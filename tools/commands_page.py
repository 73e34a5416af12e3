"""docs/commands.md: every command's help, as the command line itself prints it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from video_production.cli.commands import cli

__all__ = ["commands_page", "undocumented"]

_WIDTH = 100
_HEAD = """\
# Commands

`./jiki-video COMMAND --help` prints what stands here. This page is generated from it
(`.venv/bin/python -m tools.generate_docs`).

Where a command takes `DOCUMENT|PIPELINE`, it takes the path of a pipeline document or the pipeline's id.

Without `--environment` a command works on this machine, and its output says LOCAL. With it, it works in an environment
on AWS and says which: `development · eu-west-1 · account 123456789012`. Names come from the outputs of that
environment's stack, credentials from where the AWS SDK for Python looks for them (`AWS_PROFILE`, variables, single
sign-on, …), the region from `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile. No variable stands for
`--environment`: what may cost money is typed.

What `produce` prints depends on where it goes: in a terminal a picture that moves in place, in a file or a pipe one
line per finished node, with `--json` one JSON object per line. `NO_COLOR` turns colours off. The last line is the
path of the video alone, as short as it can be typed in the working folder; in JSON, `output.path` of the last event is
absolute. Errors go to standard error, one sentence each; with `--json` the last event says them instead.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | something is wrong with what was given: the document, an option, a full disk; nothing new was paid |
| 2 | a node failed; the others are finished and are reused by the next run |
| 3 | interrupted or cancelled; the same command continues |

"""


def commands_page() -> str:
    """The page, commands in the order of the overview."""
    with _context(cli, "./jiki-video") as context:
        parts = [_HEAD, _block(cli.get_help(context))]
        parts += _sections(cli, context, "")
    return "".join(parts)


def _sections(group: click.Group, context: click.Context, before: str) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.commands[name]
        with _context(command, name, context) as inner:
            if not isinstance(command, click.Group):
                yield f"\n## {before}{name}\n\n{_block(command.get_help(inner))}"
            else:
                yield from _sections(command, inner, f"{before}{name} ")


def _all(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from _all(command, f"{before}{name} ")


def undocumented() -> list[str]:
    """Commands without a description, and options without a help text."""
    missing = [name for name, command in _all(cli) if not command.help]
    for name, command in {"": cli, **dict(_all(cli))}.items():
        options = (parameter for parameter in command.params if isinstance(parameter, click.Option))
        missing += [f"{name} {option.opts[0]}".strip() for option in options if not option.help]
    return missing


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    settings = {key: value for key, value in cli.context_settings.items() if key != "max_content_width"}
    return click.Context(
        command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH, **settings
    )


def _block(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```\n"
