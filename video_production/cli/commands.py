"""The commands. Each parses its options, calls the library, prints; exit codes: 0 done, 1 the user's input, 2 a node
failed, 3 interrupted."""

from __future__ import annotations

import contextlib
import getpass
import json
import signal
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import click

from video_production.errors import DocumentError, RequestError, VideoProductionError

__all__ = ["FAILED", "INTERRUPTED", "INVALID", "cli", "run"]

INVALID, FAILED, INTERRUPTED = 1, 2, 3
_DOCUMENT = click.Path(path_type=Path)


def run() -> None:
    """The entry point: every expected failure is one sentence on standard error."""
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    code = INVALID
    try:
        code = cli(standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nStopped. Nothing is lost: run the same command again to continue.", err=True)
        code = INTERRUPTED
    except VideoProductionError as error:
        click.echo(str(error), err=True)
    except BrokenPipeError:
        code = 0
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.flush()
    sys.exit(code)


def _interrupt() -> None:
    raise KeyboardInterrupt


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option("0.1.0", prog_name="jiki-video")
def cli() -> None:
    """Make videos from pipeline documents, whole on this machine."""


@cli.command()
@click.argument("document", type=_DOCUMENT)
@click.option("--fresh", is_flag=True, help="Make every node again. What was paid for is kept and reused.")
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
def produce(document: Path, fresh: bool, as_json: bool) -> int:
    """Make the video of DOCUMENT and print where it lies."""
    from video_production.cli.producing import produce as make

    return _tell(lambda: make(document, fresh=fresh), as_json)


@cli.command()
@click.argument("document", type=_DOCUMENT)
def validate(document: Path) -> None:
    """Check DOCUMENT and everything it names. Nothing is written or paid."""
    from video_production.cli.words import count
    from video_production.pipelines.validation import load_valid_document

    valid = load_valid_document(document)
    click.echo(f"{document}: {count(len(valid.nodes), 'node')}, no problems.")


@cli.command()
@click.argument("pipeline", metavar="DOCUMENT|PIPELINE")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(pipeline: str, as_json: bool) -> None:
    """Show how far a pipeline is: every node with its provider's id, attempts and last answer."""
    from video_production.cli.inspecting import status_lines, status_object
    from video_production.cli.workspace import snapshot

    found = snapshot()
    known, nodes = found.load_known(_pipeline_id(pipeline))
    takes = found.takes_of(nodes)
    if as_json:
        click.echo(json.dumps(status_object(known, nodes, takes), ensure_ascii=False, indent=2))
        return
    for line in status_lines(known, nodes, takes):
        click.echo(line)


@cli.command()
@click.argument("document", type=_DOCUMENT)
def graph(document: Path) -> None:
    """Print DOCUMENT's graph as Mermaid text, coloured by how far each node is."""
    from video_production.cli.inspecting import graph_text

    click.echo(graph_text(document), nl=False)


@cli.command()
@click.argument("name", type=_DOCUMENT)
@click.option("--slides", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Folder of your images.")
def new(name: Path, slides: Path | None) -> None:
    """Write a lesson of your own into the folder NAME: one slide and one script per scene."""
    from video_production.pipelines.new_lesson import write_lesson
    from video_production.pipelines.schema import SCHEMA_PATH

    for path in write_lesson(name, slides=slides, schema=SCHEMA_PATH):
        click.echo(f" {path}")
    click.echo(f"Next: edit the scripts, then ./jiki-video produce {name / 'pipeline.yaml'}")


@cli.command()
def up() -> None:
    """Run the local cloud for other programs until Ctrl-C, and print how to reach it."""
    from local_cloud.handle import run_in_foreground
    from video_production.cli.workspace import HOME

    run_in_foreground(HOME, sys.stdout)


@cli.command()
@click.argument("role")
@click.option("--event", "event_file", type=click.File(), required=True, help="JSON file; - reads standard input.")
def invoke(role: str, event_file: Any) -> int:
    """Run one function (merger, audio_mixer, …) once with an event and print its answer."""
    from local_cloud.functions import NAMES, ROLES
    from video_production.cli.workspace import open_workspace

    name = role.replace("-", "_")
    if name not in ROLES:
        raise RequestError(f"There is no function '{role}'; the functions are {', '.join(ROLES)}.")
    event = event_file.read()
    try:
        json.loads(event)
    except ValueError as error:
        raise RequestError(f"{event_file.name} is not JSON: {error}.") from error
    with open_workspace() as workspace:
        answer = workspace.cloud.client("lambda").invoke(FunctionName=NAMES.function(name), Payload=event.encode())
        payload = json.loads(answer["Payload"].read())
    if "FunctionError" in answer:
        click.echo(f"{role} failed: {payload.get('errorType')}: {payload.get('errorMessage')}", err=True)
        return FAILED
    click.echo(json.dumps(payload, ensure_ascii=False, indent=2))
    return 0


@cli.command()
@click.argument("document", type=_DOCUMENT)
@click.argument("node")
@click.option("--json", "as_json", is_flag=True, help="Print every event as one line of JSON.")
def retry(document: Path, node: str, as_json: bool) -> int:
    """Make a failed NODE of DOCUMENT again, then everything that waits for it."""
    from video_production.cli.producing import follow
    from video_production.cli.workspace import open_workspace

    def events() -> Generator[dict[str, Any]]:
        pipeline_id = _pipeline_id(str(document))
        with open_workspace() as workspace:
            workspace.asking.retry(pipeline_id, node)
            yield from follow(workspace, pipeline_id, document.parent)

    return _tell(events, as_json)


@cli.command()
@click.argument("document", metavar="DOCUMENT|PIPELINE")
@click.argument("node")
@click.option("--adopt", metavar="ID", help="The provider's job or history id that belongs to this node.")
@click.option("--pay-again", is_flag=True, help="Send the request again, and pay again.")
@click.option("--give-up", is_flag=True, help="Leave it; nothing more is bought for this node.")
@click.option("--why", default="", help="Kept with the decision.")
def resolve(document: str, node: str, adopt: str | None, pay_again: bool, give_up: bool, why: str) -> None:
    """Decide about a request of NODE that may have been paid."""
    from video_production.cli.workspace import open_workspace

    if (adopt is not None) + pay_again + give_up != 1:
        raise RequestError("Say exactly one of --adopt ID, --pay-again and --give-up.")
    resolution = "adopt" if adopt else "pay-again" if pay_again else "give-up"
    with open_workspace() as workspace:
        workspace.asking.resolve(
            _pipeline_id(document),
            node,
            resolution,  # type: ignore[arg-type]
            who=getpass.getuser(),
            why=why or "no reason given",
            external_id=adopt or "",
        )
    click.echo(f"Noted for '{node}': {resolution}. Next: ./jiki-video produce {document}")


@cli.command()
@click.argument("document", metavar="DOCUMENT|PIPELINE")
def cancel(document: str) -> None:
    """Stop a pipeline: no paid request starts after this; what is finished stays."""
    from video_production.cli.workspace import open_workspace

    pipeline_id = _pipeline_id(document)
    with open_workspace() as workspace:
        workspace.asking.cancel(pipeline_id)
        workspace.asking.run(pipeline_id)
    click.echo(f"'{pipeline_id}' is cancelled. Run produce again to continue it.")


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
        if as_json:
            problems = error.problems if isinstance(error, DocumentError) else []
            entries = [{"path": problem.path, "message": problem.message} for problem in problems]
            renderer.show({"event": "finished", "status": "invalid", "error": str(error), "problems": entries})
            return INVALID
        raise
    finally:
        renderer.close()
    return {"completed": 0, "failed": FAILED, "cancelled": INTERRUPTED}[status]


def _pipeline_id(document: str) -> str:
    """A pipeline's id, given itself or the document that holds it."""
    path = Path(document)
    if not path.exists():
        if path.suffix in (".yaml", ".yml", ".json"):
            raise RequestError(f"{document} does not exist; give a pipeline document or a pipeline's id.")
        return document
    from video_production.pipelines.documents import load_document

    return load_document(path).id
