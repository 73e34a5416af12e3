"""The commands that work on files and objects as they are, without a pipeline: join them, look into them."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from video_production.cli.telling import INTERRUPTED
from video_production.errors import RequestError

__all__ = ["COMMANDS", "METHODS"]

METHODS = ("auto", "splice", "splice-inband", "reencode-some", "reencode-all")
"""Written out: the library that knows them takes a moment to load, and every command line loads this."""


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("-o", "--output", metavar="OUT", help="Where the video goes: a file, or s3://bucket/key.")
@click.option("--explain", is_flag=True, help="Say what would be done with each input, and do nothing.")
@click.option("--method", type=click.Choice(METHODS), default="auto", show_default=True, help="How; see above.")
@click.option("--force", is_flag=True, help="Replace OUT where it exists.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def merge(inputs: tuple[str, ...], output: str | None, explain: bool, method: Any, force: bool, as_json: bool) -> int:
    """Join videos in the order given; the last line is where the result is.

    Inputs and OUT are files or S3 URLs (s3://bucket/key), mixed as you like. No pipeline and no local cloud is needed;
    S3 is reached with the credentials and the region that the AWS CLI would use too, and AWS_ENDPOINT_URL_S3 names
    another S3.

    What can be copied is copied: of objects in S3 only the headers and the pictures around the joins are read, and S3
    itself copies the rest. OUT changes only once the result has been checked by decoding, and an OUT that exists is
    replaced only with --force. Ctrl-C leaves it as it was.

    The methods, of which auto takes the first that fits:

    \b
      splice         nothing is encoded; all must be encoded alike
      reencode-some  what differs is encoded like the others, the others are copied
      reencode-all   everything is decoded and encoded once

    splice-inband encodes nothing either and takes videos with other encoder settings; every byte passes through this
    machine, and not every player takes the result (avc3, hev1), so auto never chooses it.
    """
    from video_production.cli import merging

    if explain:
        told = merging.explain_inputs(inputs, method)
        if as_json:
            _print_json(merging.to_object(told))
        else:
            click.echo("\n".join(merging.explanation_lines(told)))
        return 0
    if output is None:
        raise RequestError("Say where the video goes with -o OUT, or ask for the plan alone with --explain.")
    begun = time.monotonic()
    try:
        with merging.progress(quiet=as_json) as show:
            merged = merging.merge_inputs(inputs, output, method=method, force=force, on_progress=show)
    except KeyboardInterrupt:
        click.echo(f"Stopped; {output} is as it was.", err=True)
        return INTERRUPTED
    if as_json:
        _print_json(merging.to_object(merged, output))
    else:
        click.echo("\n".join(merging.merged_lines(merged, output, time.monotonic() - begun)))
    return 0


@click.command()
@click.argument("file", metavar="FILE|s3://BUCKET/KEY")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; times in exact fractions of a second.")
def probe(file: str, as_json: bool) -> None:
    """Say what is in a media file, in exact numbers.

    Of MP4 and MOV files only the header is read, wherever they lie; the last line says how many bytes that took.
    Anything else is read whole, with FFmpeg.
    """
    from video_production.cli import probing

    found = probing.look_into(file)
    if as_json:
        _print_json(probing.to_object(found))
    else:
        click.echo("\n".join(probing.lines(found)))


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


COMMANDS = (merge, probe)
