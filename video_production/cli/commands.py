"""The commands. Each parses its options, calls the library, prints; exit codes: 0 done, 1 the user's input, 2 a node
failed, 3 interrupted."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from video_production.cli import files, money, operations
from video_production.cli.options import EITHER, PATH, as_document, budget, environment, live, pipeline_id, prudent
from video_production.cli.telling import FAILED, INTERRUPTED, INVALID, STOPPED, tell
from video_production.cli.words import listing, quoted
from video_production.errors import RequestError, VideoProductionError
from video_production.settings import ROLES

__all__ = ["FAILED", "INTERRUPTED", "INVALID", "cli", "run"]


def run(arguments: list[str] | None = None) -> None:
    """The entry point: every failure is one sentence on standard error, without a traceback unless asked for."""
    signal.signal(signal.SIGTERM, _interrupt)
    with contextlib.suppress(BrokenPipeError):
        code = _run(arguments)
        sys.stdout.flush()
        sys.exit(code)
    sys.stderr.close()  # nobody reads what we print any more
    sys.exit(0)


def _run(arguments: list[str] | None) -> int:
    try:
        return int(cli(arguments, prog_name="jiki-video", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return INVALID
    except (KeyboardInterrupt, click.Abort):  # click has ended the line that ^C stands in
        click.echo(STOPPED, err=True)
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except VideoProductionError as error:
        return _say(str(error), error)
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        return _say(f"The machine refused something{where}: {error.strerror}; mend that and run it again.", error)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug of ours is told, not thrown at people
        return _say(f"An unexpected error ended the command: {type(error).__name__}: {error}", error)


def _say(sentence: str, error: Exception) -> int:
    if _Asked.traceback:
        traceback.print_exception(error)
    click.echo(sentence, err=True)
    return INVALID


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


class _Asked:
    """What was asked of the whole command line."""

    traceback = False


class _InOrder(click.Group):
    """Lists commands by how soon one needs them, not by their first letter."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(self.commands)


@click.group(cls=_InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option("0.1.0", prog_name="jiki-video")
@click.option("--traceback", is_flag=True, help="Show where in the program an error came from.")
def cli(traceback: bool) -> None:
    """Make videos from pipeline documents: whole on this machine, with no account and no keys, or on AWS.

    Everything that the commands keep here lies in .jiki-video, or in the folder that JIKI_VIDEO_HOME names. With
    --environment a command works in that environment on AWS instead, with the credentials and the region that the AWS
    CLI would use too (AWS_PROFILE, AWS_REGION, …); it keeps nothing here.

    Exit codes: 0 done, 1 something is wrong with what was given, 2 a node failed, 3 interrupted.
    """
    _Asked.traceback = traceback


@cli.command()
@click.argument("document", type=PATH)
@environment()
@live()
@click.option("--fresh", is_flag=True, help="Make every node again. What was paid for is kept and reused.")
@click.option(
    "--plan", metavar="HASH", default="", help="Do what this plan says, or nothing if anything has moved since."
)
@budget("What the pipeline may cost in all; buys no more.")
@click.option("--yes", is_flag=True, help="Agree to what is bought from real providers; else one is asked.")
@click.option("--no-download", is_flag=True, help="Leave the video on AWS; the last line is its s3:// URL.")
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
def produce(
    document: Path,
    environment: str | None,
    live: tuple[str, ...],
    fresh: bool,
    plan: str,
    budget: float | None,
    yes: bool,
    no_download: bool,
    as_json: bool,
) -> int:
    """Make the video of DOCUMENT; the last line is its path.

    What is made already is reused; after an edit only what changed is made again. Ctrl-C is safe: the same command
    continues. The video lies in the folder `output` beside the document, its captions with it.

    With --environment the video is made on AWS and brought here when it is finished. Ctrl-C then only stops watching:
    the run goes on until `cancel`.

    On this machine every provider is a draft that costs nothing, unless --live names it. Where results of real
    providers would be bought, their price is shown first and nothing starts before a yes: at the question, with --yes,
    or by naming the plan that `plan` showed. The budget counts all that was ever bought for the pipeline, drafts
    apart; what would go beyond it is not sent, and the other nodes are finished.
    """
    from video_production.cli.producing import Terms
    from video_production.cli.producing import produce as make

    if no_download and environment is None:
        raise RequestError("--no-download leaves a video on AWS; say where with --environment NAME.")
    terms = Terms(live, plan, budget, prudent(yes=yes, as_json=as_json))
    return tell(
        lambda: make(document, fresh=fresh, environment=environment, terms=terms, download=not no_download), as_json
    )


@cli.command()
@click.argument("document", type=PATH)
def validate(document: Path) -> None:
    """Check DOCUMENT and everything it names. Nothing is written or paid."""
    from video_production.cli.words import count
    from video_production.pipelines.validation import load_valid_document

    valid = load_valid_document(document)
    click.echo(f"{document}: {count(len(valid.nodes), 'node')}, no problems.")


@cli.command()
@click.argument("pipeline", metavar=f"[{EITHER}]", required=False)
@environment()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(pipeline: str | None, environment: str | None, as_json: bool) -> None:
    """Show how far a pipeline is.

    Every node with its provider's id, its attempts and the provider's last answer, and what all of it has cost so far.
    Nothing is started. Without an argument, list the pipelines.
    """
    from video_production.cli.costs import spent_lines, spent_object
    from video_production.cli.inspecting import overview, overview_lines, status_lines, status_object
    from video_production.cli.waiting import places_of
    from video_production.cli.workspace import load_known, site, takes_of

    if pipeline is None:
        found = site(environment).snapshot()
        told = overview(found)
        lines = [json.dumps(told, ensure_ascii=False, indent=2)] if as_json else overview_lines(found.place, told)
        click.echo("\n".join(lines))
        return
    name = pipeline_id(pipeline)
    found = site(environment).snapshot()
    known, nodes = load_known(found, name)
    takes, places = takes_of(found, nodes), places_of(found.queue, nodes)
    if as_json:
        state = status_object(found.place, known, nodes, takes, places) | {"money": spent_object(found, known)}
        click.echo(json.dumps(state, ensure_ascii=False, indent=2))
        return
    for line in status_lines(found.place, known, nodes, takes, places):
        click.echo(line)
    for line in spent_lines(found, known):
        click.echo(line)


@cli.command()
@click.argument("document", type=PATH)
@environment()
def graph(document: Path, environment: str | None) -> None:
    """Print DOCUMENT's graph as Mermaid text.

    Where the pipeline was produced before, nodes have the colour of their state.
    """
    from video_production.cli.inspecting import graph_text

    click.echo(graph_text(document, environment), nl=False)


@cli.command()
@click.argument("name", type=PATH)
@click.option("--slides", type=PATH, metavar="DIR", help="Folder with pictures of your own: one scene for each.")
def new(name: Path, slides: Path | None) -> None:
    """Write a lesson of your own into the folder NAME.

    It has one slide and one script per scene and can be produced at once.
    """
    from video_production.pipelines.new_lesson import write_lesson
    from video_production.pipelines.schema import SCHEMA_PATH

    written = write_lesson(name, slides=slides, schema=SCHEMA_PATH)
    for path in written:
        click.echo(f" {path}")
    click.echo(f"Next: edit the scripts, then ./jiki-video produce {quoted(written[0])}")


@cli.command()
def up() -> None:
    """Run the local cloud for other programs until Ctrl-C.

    The printed lines are for a shell; after them any AWS program talks to this machine.
    """
    from local_cloud.handle import run_in_foreground
    from video_production.cli.local_workspace import HOME

    run_in_foreground(HOME, sys.stdout)


@cli.command()
@click.argument("role")
@environment()
@click.option("--event", "event_file", type=click.File(), required=True, help="JSON file; - reads standard input.")
def invoke(role: str, environment: str | None, event_file: Any) -> int:
    """Run one function once with an event and print its answer.

    ROLE is merger, audio_mixer, scheduler, sweeper, webhook_receiver, pipeline_starter, error_callback, or a provider's
    PROVIDER_submitter or PROVIDER_poller.
    """
    from video_production.cli.workspace import site

    name = role.replace("-", "_")
    if name not in ROLES:
        raise RequestError(f"There is no function '{role}'; the functions are {', '.join(ROLES)}.")
    event = _event(event_file)
    here = site(environment)
    with here.open() as workspace:
        client = workspace.client("lambda")
        try:
            answer = client.invoke(FunctionName=here.function(name), Payload=event.encode())
        except client.exceptions.ResourceNotFoundException as error:
            raise RequestError(f"There is no function {here.function(name)} in {here.place.words}.") from error
        payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        click.echo(f"{role} failed: {payload.get('errorType')}: {payload.get('errorMessage')}", err=True)
        return FAILED
    click.echo(json.dumps(payload, ensure_ascii=False, indent=2))
    status = payload.get("statusCode", 200) if isinstance(payload, dict) else 200
    return 0 if status < 400 else INVALID if status < 500 else FAILED


def _event(file: Any) -> str:
    try:
        event = str(file.read())
        json.loads(event)
    except ValueError as error:
        raise RequestError(f"{file.name} is not JSON: {error}.") from error
    return event


@cli.command()
@click.argument("document", metavar=EITHER)
@click.argument("node")
@environment()
@live()
@click.option("--yes", is_flag=True, help="Agree to what is bought from real providers; else one is asked.")
@click.option("--no-download", is_flag=True, help="Leave the video on AWS; the last line is its s3:// URL.")
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
def retry(
    document: str,
    node: str,
    environment: str | None,
    live: tuple[str, ...],
    yes: bool,
    no_download: bool,
    as_json: bool,
) -> int:
    """Make a failed NODE of DOCUMENT again.

    Then everything that waits for it is made. Where the provider may have charged for the failed try, this pays again;
    `produce` alone never does. A PIPELINE is known by its id where it was published, with --environment; without its
    document the video stays on AWS.
    """
    from video_production.cli.producing import Terms
    from video_production.cli.producing import retry as make

    if no_download and environment is None:
        raise RequestError("--no-download leaves a video on AWS; say where with --environment NAME.")
    terms = Terms(live, agree=prudent(yes=yes, as_json=as_json))

    def events() -> Any:
        name = pipeline_id(document)
        path = Path(as_document(document))
        known = path.is_file()
        if not known and environment is None:
            raise RequestError(f"There is no document '{document}'; on this machine retry needs the document.")
        download = known and not no_download
        return make(path, name, node, environment=environment, terms=terms, download=download)

    return tell(events, as_json)


@cli.command()
@click.argument("document", metavar=EITHER)
@click.argument("node")
@environment()
@click.option("--adopt", metavar="ID", help="The provider's job or history id that belongs to this node.")
@click.option("--pay-again", is_flag=True, help="Send the request again, and pay again.")
@click.option("--give-up", is_flag=True, help="Leave it; nothing more is bought for this node.")
@click.option("--why", metavar="TEXT", default="", help="Kept with the decision.")
def resolve(
    document: str, node: str, environment: str | None, adopt: str | None, pay_again: bool, give_up: bool, why: str
) -> None:
    """Decide about a request of NODE that may have been paid.

    When the answer to a paid request is lost and the provider does not list the result, the request is not sent
    again: look it up at the provider, then decide here.
    """
    from video_production.cli.workspace import site

    if (adopt is not None) + pay_again + give_up != 1:
        raise RequestError("Say exactly one of --adopt ID, --pay-again and --give-up.")
    if adopt is not None and not adopt.strip():
        raise RequestError("--adopt needs the provider's job or history id.")
    resolution = "adopt" if adopt else "pay-again" if pay_again else "give-up"
    name = pipeline_id(document)
    here = site(environment)
    with here.open() as workspace:
        workspace.asking.resolve(
            name,
            node,
            resolution,  # type: ignore[arg-type]
            who=workspace.who,
            why=why or "no reason given",
            external_id=adopt or "",
        )
    told = {
        "adopt": f"'{node}' takes over '{adopt}', nothing is paid again",
        "pay-again": f"the request of '{node}' will be sent and paid again",
        "give-up": f"nothing more is bought for '{node}'",
    }[resolution]
    click.echo(f"Noted: {told}. Next: ./jiki-video produce {quoted(as_document(document))}{here.place.option}")


@cli.command()
@click.argument("document", metavar=EITHER)
@environment()
def cancel(document: str, environment: str | None) -> None:
    """Stop a pipeline; what is finished stays.

    No paid request starts after this. What was sent already is kept and reused.
    """
    from video_production.cli.workspace import site
    from video_production.nodes.model import NodeStatus

    name = pipeline_id(document)
    here = site(environment)
    with here.open() as workspace:
        workspace.asking.cancel(name)
        workspace.asking.run(name)
        _, nodes = workspace.nodes.load(name)
    again = f"./jiki-video produce {quoted(as_document(document))}{here.place.option}"
    click.echo(f"'{name}' is cancelled. {again} continues it.")
    if busy := [node.id for node in nodes.values() if node.status == NodeStatus.IN_PROGRESS]:
        goes_on = "What its provider can't stop any more goes on there, is kept and reused."
        click.echo(f"Under way: {listing(busy)}. {goes_on}")


for _command in (*money.COMMANDS, *files.COMMANDS, *operations.COMMANDS):
    cli.add_command(_command)
