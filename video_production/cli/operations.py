"""The commands of whoever runs an environment: what there is, what was written down, what is wrong."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

import click

from video_production.cli.options import EITHER, environment, pipeline_id
from video_production.cli.words import clock_time
from video_production.errors import RequestError, VideoProductionError
from video_production.settings import PROVIDER_FACTS, ROLES

__all__ = ["COMMANDS"]

_LOOK_EVERY = 2.0
_LONGEST_LINK = 7 * 86400
_REPORTING = [facts.name for facts in PROVIDER_FACTS.values() if facts.webhooks]


@click.command("list")
@environment("List what there is in this environment on AWS.")
@click.option("--active", is_flag=True, help="Only those under way; on AWS also much cheaper to find.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many lines.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, without a limit.")
def list_(environment: str | None, active: bool, limit: int, as_json: bool) -> None:
    """List the pipelines with their state, the latest first.

    On AWS this reads the whole node table; --active asks its index.
    """
    from video_production.cli.inspecting import list_lines, list_objects
    from video_production.cli.workspace import site

    found = site(environment).snapshot()
    entries = found.pipelines(active=active)
    if as_json:
        click.echo(json.dumps(list_objects(found.place, entries), ensure_ascii=False, indent=2))
        return
    for line in list_lines(found.place, entries, limit):
        click.echo(line)


@click.command("open")
@click.argument("pipeline", metavar=EITHER)
@environment("Find it in this environment on AWS.")
@click.option("--node", metavar="NODE", help="What this node made, instead of the finished video.")
@click.option("--expires", metavar="TIME", default="1h", show_default=True, help="How long an address is good for.")
def open_(pipeline: str, environment: str | None, node: str | None, expires: str) -> None:
    """Print where the finished video is.

    Here that is the file, on AWS an address for any browser. The address (a presigned URL) needs no AWS account:
    whoever has it can fetch the file until it expires. Standard output gets it alone.
    """
    from video_production.cli.logs import seconds_of
    from video_production.cli.workspace import load_known, site

    seconds = int(seconds_of(expires))
    if seconds > _LONGEST_LINK:
        raise RequestError("An address is good for seven days at most; give a shorter --expires.")
    name = pipeline_id(pipeline)
    here = site(environment)
    known, nodes = load_known(here.snapshot(), name)
    wanted = node or known.final_node
    if wanted not in nodes:
        raise RequestError(f"There is no node '{wanted}' in pipeline '{name}'; status lists the nodes.")
    output = nodes[wanted].output
    if output is None:
        state = str(nodes[wanted].status).replace("_", " ")
        raise RequestError(f"Node '{wanted}' of '{name}' has made nothing yet, it is {state}.")
    where, remark = here.link(output.bucket, output.s3_key, seconds)
    about = [wanted, clock_time(output.duration) if output.duration else "", "draft" if output.draft else "", remark]
    click.echo(f"{here.place.banner} · {' · '.join(part for part in about if part)}", err=True)
    click.echo(where)


@click.command()
@click.argument("pipeline", metavar=f"{EITHER}|ROLE")
@click.argument("node", required=False)
@environment("Read the logs of this environment on AWS.")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("--since", metavar="TIME", default="1h", show_default=True, help="How far back: 90s, 15m, 2h, 3d.")
@click.option("--json", "as_json", is_flag=True, help="Print every line as JSON.")
def logs(pipeline: str, node: str | None, environment: str | None, follow: bool, since: str, as_json: bool) -> None:
    """Print what the functions wrote down about a pipeline.

    With NODE only what concerns it; with ROLE (a function: merger, scheduler, …) all that it wrote. Lines of all
    functions stand in the order of time, with their level and their node; what Lambda says of an invocation that ran
    out of time or memory stands among them. Locally, logs live as long as the local cloud (`up`).
    """
    from video_production.cli.logs import LogReader, Wanted, seconds_of
    from video_production.cli.workspace import site

    role = pipeline.replace("-", "_")
    seconds = seconds_of(since)
    if role in ROLES:
        if node is not None:
            raise RequestError(f"'{pipeline}' is a function; a NODE goes with a pipeline.")
        wanted = Wanted((role,))
    else:
        wanted = Wanted(tuple(ROLES), pipeline_id(pipeline), node or "")
    here = site(environment)
    with here.log_client() as client:
        reader = LogReader(client, lambda name: f"/aws/lambda/{here.function(name)}")
        show = _LogLines(wanted.roles, as_json)
        begin = time.time() - seconds
        if follow:
            with contextlib.suppress(KeyboardInterrupt):
                for line in reader.follow(wanted, begin, _LOOK_EVERY):
                    show(line)
            return
        for line in reader.read(wanted, begin):
            show(line)
        if not show.day and not as_json:
            click.echo(f" {here.place.banner}: nothing was logged in the last {since}; --since looks further back.")


class _LogLines:
    """Prints log lines; a new day gets a line of its own."""

    def __init__(self, roles: tuple[str, ...], as_json: bool) -> None:
        from video_production.cli.logs import colours

        self._width = max(map(len, roles))
        self._as_json = as_json
        self._colours = colours()
        self.day = ""

    def __call__(self, line: Any) -> None:
        from video_production.cli.logs import day_of, render

        if self._as_json:
            self.day = day_of(line)
            click.echo(json.dumps(line.to_dict(), ensure_ascii=False))
            return
        if self.day != day_of(line):
            self.day = day_of(line)
            click.echo(self.day)
        for text, colour in render(line, self._width):
            click.echo(click.style(text, fg=colour) if colour and self._colours else text)


@click.command()
@environment("Look at this environment on AWS.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(environment: str | None, as_json: bool) -> int:
    """Look for what is wrong, and say what to do about it.

    On AWS: credentials, the stack, functions, tables, the bucket, secrets, quotas, alarms, dead letters, the alarm's
    e-mail. Secrets are not read, nothing is changed. Here: Python, FFmpeg, the disk, the local cloud.

    A line begins with ✓ (well), ! (worth knowing, or not to be looked at with these credentials) or ✗ (broken); with
    one ✗ the exit code is 1.
    """
    from video_production.cli.findings import broken, lines, to_objects

    if environment is None:
        from video_production.cli.local_checks import examine

        banner, findings = examine()
    else:
        from video_production.cli.aws.checks import examine_environment

        try:
            banner, findings = examine_environment(environment)
        except VideoProductionError as error:
            if not as_json:
                raise
            banner, findings = "", iter([broken("credentials", str(error))])
    seen = []
    if not as_json:
        click.echo(banner)
    for finding in findings:
        seen.append(finding)
        if not as_json:
            for line in lines(finding):
                click.echo(line)
    if as_json:
        click.echo(json.dumps(to_objects(seen), ensure_ascii=False, indent=2))
    return 1 if any(finding.broken for finding in seen) else 0


@click.group()
def webhooks() -> None:
    """Have providers report finished jobs instead of being asked."""


@webhooks.command()
@click.option(
    "--environment", "name", required=True, metavar="NAME", help="The environment on AWS that is reported to."
)
@click.option("--provider", type=click.Choice(_REPORTING), default="elevenlabs", show_default=True, help="Who reports.")
def register(name: str, provider: str) -> None:
    """Subscribe an environment to a provider's webhooks.

    Creates the subscription at the provider with the API key of the environment, and stores the secret that the
    provider shows once. Where there is a subscription already, nothing is changed.
    """
    from video_production.cli.aws.webhooks import register as subscribe

    for line in subscribe(name, provider):
        click.echo(line)


COMMANDS = (list_, open_, logs, doctor, webhooks)
