"""The commands. Each parses its options, calls the library, prints; exit codes: 0 done, 1 the user's input, 2 a node
failed, 3 interrupted."""

from __future__ import annotations

import contextlib
import getpass
import json
import signal
import sys
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import click

from video_production.cli.words import quoted
from video_production.errors import DocumentError, InputError, RequestError, VideoProductionError

__all__ = ["FAILED", "INTERRUPTED", "INVALID", "cli", "run"]

INVALID, FAILED, INTERRUPTED = 1, 2, 3
_EXIT_CODES = {"completed": 0, "failed": FAILED, "cancelled": INTERRUPTED}
_STOPPED = "Stopped. Nothing is lost: run the same command again to continue."
_PATH = click.Path(path_type=Path)
_EITHER = "DOCUMENT|PIPELINE"


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
        click.echo(_STOPPED, err=True)
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
    """Make videos from pipeline documents, whole on this machine: no account, no keys.

    Everything that the commands keep lies in .jiki-video, or in the folder that JIKI_VIDEO_HOME names.

    Exit codes: 0 done, 1 something is wrong with what was given, 2 a node failed, 3 interrupted.
    """
    _Asked.traceback = traceback


@cli.command()
@click.argument("document", type=_PATH)
@click.option("--fresh", is_flag=True, help="Make every node again. What was paid for is kept and reused.")
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
def produce(document: Path, fresh: bool, as_json: bool) -> int:
    """Make the video of DOCUMENT; the last line is its path.

    What is made already is reused; after an edit only what changed is made again. Ctrl-C is safe: the same command
    continues. The video lies in the folder `output` beside the document, its captions with it.
    """
    from video_production.cli.producing import produce as make

    return _tell(lambda: make(document, fresh=fresh), as_json)


@cli.command()
@click.argument("document", type=_PATH)
def validate(document: Path) -> None:
    """Check DOCUMENT and everything it names. Nothing is written or paid."""
    from video_production.cli.words import count
    from video_production.pipelines.validation import load_valid_document

    valid = load_valid_document(document)
    click.echo(f"{document}: {count(len(valid.nodes), 'node')}, no problems.")


@cli.command()
@click.argument("pipeline", metavar=f"[{_EITHER}]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(pipeline: str | None, as_json: bool) -> None:
    """Show how far a pipeline is.

    Every node with its provider's id, its attempts and the provider's last answer. Nothing is started. Without an
    argument, list the pipelines.
    """
    from video_production.cli.inspecting import overview, status_lines, status_object
    from video_production.cli.workspace import snapshot

    found = snapshot()
    if pipeline is None:
        told = overview(found)
        click.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else _as_lines(told))
        return
    known, nodes = found.load_known(_pipeline_id(pipeline))
    takes = found.takes_of(nodes)
    if as_json:
        click.echo(json.dumps(status_object(known, nodes, takes), ensure_ascii=False, indent=2))
        return
    for line in status_lines(known, nodes, takes):
        click.echo(line)


def _as_lines(pipelines: list[dict[str, Any]]) -> str:
    if not pipelines:
        return "No pipeline has been produced here yet."
    width = max(len(entry["pipeline"]) for entry in pipelines)
    return "\n".join(f" {entry['pipeline']:<{width}}  {entry['state']:<9}  {entry['title']}" for entry in pipelines)


@cli.command()
@click.argument("document", type=_PATH)
def graph(document: Path) -> None:
    """Print DOCUMENT's graph as Mermaid text.

    Where the pipeline was produced before, nodes have the colour of their state.
    """
    from video_production.cli.inspecting import graph_text

    click.echo(graph_text(document), nl=False)


@cli.command()
@click.argument("name", type=_PATH)
@click.option("--slides", type=_PATH, metavar="DIR", help="Folder with pictures of your own: one scene for each.")
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
    from video_production.cli.workspace import HOME

    run_in_foreground(HOME, sys.stdout)


@cli.command()
@click.argument("role")
@click.option("--event", "event_file", type=click.File(), required=True, help="JSON file; - reads standard input.")
def invoke(role: str, event_file: Any) -> int:
    """Run one function once with an event and print its answer.

    ROLE is merger, audio_mixer, elevenlabs_submitter, elevenlabs_poller or scheduler.
    """
    from local_cloud.functions import NAMES, ROLES
    from video_production.cli.workspace import open_workspace

    name = role.replace("-", "_")
    if name not in ROLES:
        raise RequestError(f"There is no function '{role}'; the functions are {', '.join(ROLES)}.")
    event = _event(event_file)
    with open_workspace() as workspace:
        answer = workspace.cloud.client("lambda").invoke(FunctionName=NAMES.function(name), Payload=event.encode())
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
@click.argument("document", type=_PATH)
@click.argument("node")
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
def retry(document: Path, node: str, as_json: bool) -> int:
    """Make a failed NODE of DOCUMENT again.

    Then everything that waits for it is made. Where the provider may have charged for the failed try, this pays again;
    `produce` alone never does.
    """
    from video_production.cli.producing import retry as make

    return _tell(lambda: make(document, _document_id(document), node), as_json)


@cli.command()
@click.argument("document", metavar=_EITHER)
@click.argument("node")
@click.option("--adopt", metavar="ID", help="The provider's job or history id that belongs to this node.")
@click.option("--pay-again", is_flag=True, help="Send the request again, and pay again.")
@click.option("--give-up", is_flag=True, help="Leave it; nothing more is bought for this node.")
@click.option("--why", metavar="TEXT", default="", help="Kept with the decision.")
def resolve(document: str, node: str, adopt: str | None, pay_again: bool, give_up: bool, why: str) -> None:
    """Decide about a request of NODE that may have been paid.

    When the answer to a paid request is lost and the provider does not list the result, the request is not sent
    again: look it up at the provider, then decide here.
    """
    from video_production.cli.workspace import open_workspace

    if (adopt is not None) + pay_again + give_up != 1:
        raise RequestError("Say exactly one of --adopt ID, --pay-again and --give-up.")
    if adopt is not None and not adopt.strip():
        raise RequestError("--adopt needs the provider's job or history id.")
    resolution = "adopt" if adopt else "pay-again" if pay_again else "give-up"
    pipeline_id = _pipeline_id(document)
    with open_workspace() as workspace:
        workspace.asking.resolve(
            pipeline_id,
            node,
            resolution,  # type: ignore[arg-type]
            who=getpass.getuser(),
            why=why or "no reason given",
            external_id=adopt or "",
        )
    told = {
        "adopt": f"'{node}' takes over '{adopt}', nothing is paid again",
        "pay-again": f"the request of '{node}' will be sent and paid again",
        "give-up": f"nothing more is bought for '{node}'",
    }[resolution]
    click.echo(f"Noted: {told}. Next: ./jiki-video produce {quoted(_as_document(document))}")


@cli.command()
@click.argument("document", metavar=_EITHER)
def cancel(document: str) -> None:
    """Stop a pipeline; what is finished stays.

    No paid request starts after this. What was sent already is kept and reused.
    """
    from video_production.cli.workspace import open_workspace

    pipeline_id = _pipeline_id(document)
    with open_workspace() as workspace:
        workspace.asking.cancel(pipeline_id)
        workspace.asking.run(pipeline_id)
    click.echo(f"'{pipeline_id}' is cancelled. ./jiki-video produce {quoted(_as_document(document))} continues it.")


def _tell(events: Callable[[], Generator[dict[str, Any]]], as_json: bool) -> int:
    """Draw a stream of events; answer with the exit code that the last one stands for."""
    from video_production.cli.rendering import choose

    renderer = choose(as_json)
    status = ""
    try:
        with contextlib.closing(events()) as stream:
            for event in stream:
                renderer.show(event)
                status = event.get("status", status)
    except VideoProductionError as error:
        if not as_json:
            raise
        renderer.show(_refusal(error))
        return INVALID
    except KeyboardInterrupt:
        if not as_json:
            raise
        renderer.show({"event": "finished", "status": "interrupted", "error": _STOPPED, "output": None})
        return INTERRUPTED
    finally:
        renderer.close()
    return _EXIT_CODES[status]


def _refusal(error: VideoProductionError) -> dict[str, Any]:
    problems = error.problems if isinstance(error, DocumentError) else []
    return {
        "event": "finished",
        "status": "invalid" if isinstance(error, InputError) else "error",
        "error": str(error),
        "problems": [{"path": problem.path, "message": problem.message} for problem in problems],
        "output": None,
    }


def _document_id(path: Path) -> str:
    from video_production.pipelines.documents import load_document

    return load_document(path).id


def _pipeline_id(document: str) -> str:
    """A pipeline's id, given itself or the document that holds it."""
    path = Path(document)
    if path.is_file() or path.suffix in (".yaml", ".yml", ".json"):
        return _document_id(path)
    return document


def _as_document(document: str) -> str:
    return document if Path(document).is_file() else "DOCUMENT"
