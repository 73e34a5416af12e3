"""Everything about a document that only shows when its nodes are seen together, or when its files are opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from video_production.errors import Problem
from video_production.pipelines import graph
from video_production.pipelines import provider_limits as limits
from video_production.pipelines.asset_files import find_problem, head_of, text_of
from video_production.pipelines.media_kinds import kinds_of, picture_format
from video_production.pipelines.messages import Located, closest, listed, nearest
from video_production.pipelines.node_types import NODE_TYPES, RunwayConfig, TalkingHeadConfig, VoiceoverConfig
from video_production.pipelines.steps import Step

__all__ = ["find_problems", "in_document_order"]

_NAMES = {"text": "text", "json": "JSON", "image": "an image", "video": "video", "audio": "audio"}
_REMEDIES = {
    ("audio", "text"): " Put a generate-voiceover node between them.",
    ("video", "image"): " Put a mix-audio node between them, which holds the picture while a sound lasts.",
}


def find_problems(steps: Sequence[Step], folder: Path) -> list[Located]:
    """Every problem of the graph and of the assets, in no particular order."""
    by_id = {step.id: step for step in reversed(steps) if step.id}
    problems = [*_duplicates(steps), *_cycles(steps, by_id), *_ending(steps)]
    for step in steps:
        problems += [(step.index, problem) for problem in _of_one(step, by_id, folder)]
    return problems


def in_document_order(problems: Iterable[Located]) -> list[Problem]:
    """The head of the document first, then node by node."""
    return [problem for _, problem in sorted(problems, key=lambda located: located[0])]


def _of_one(step: Step, by_id: Mapping[str, Step], folder: Path) -> Iterator[Problem]:
    yield from _not_makeable(step)
    yield from _wrong_inputs(step, by_id)
    if step.config:
        for key, message in step.config.problems():
            yield Problem(f"{step.path}.config.{key}", message)
    if step.asset:
        finding = find_problem(step.asset, folder)
        if finding:
            key, message = finding
            yield Problem(f"{step.path}.asset.{key}".rstrip("."), message)
    yield from _too_long(step, by_id, folder)
    yield from _unfit_pictures(step, by_id, folder)
    yield from _unfit_speech(step, by_id)


def _duplicates(steps: Sequence[Step]) -> Iterator[Located]:
    first: dict[str, int] = {}
    for step in steps:
        if step.id is None:
            continue
        if step.id in first:
            numbers = f"node {first[step.id] + 1} and node {step.index + 1}"
            yield (
                step.index,
                Problem(f"{step.path}.id", f"'{step.id}' is there twice ({numbers}). Give every node its own id."),
            )
        first.setdefault(step.id, step.index)


def _wrong_inputs(step: Step, by_id: Mapping[str, Step]) -> Iterator[Problem]:
    if step.kind is None:
        return
    for name, ids in step.inputs.items():
        slot = step.kind.slots[name]
        for position, id in enumerate(ids):
            path = f"{step.path}.inputs.{name}" + (f"[{position}]" if slot.many else "")
            source = by_id.get(id)
            if source is None:
                yield Problem(path, f"There is no node '{id}'{closest(id, by_id) or '. Add it, or name another one.'}")
            elif source.makes and source.makes not in slot.accepts:
                needed = " or ".join(_NAMES[kind] for kind in slot.accepts)
                remedy = _REMEDIES.get((slot.accepts[0], source.makes), "")
                yield Problem(path, f"needs {needed}, but '{id}' makes {_NAMES[source.makes]}.{remedy}")


def _cycles(steps: Sequence[Step], by_id: Mapping[str, Step]) -> Iterator[Located]:
    known = {id: [use for use in _ordered_uses(step) if use in by_id] for id, step in _forward(by_id, steps)}
    for cycle in graph.find_cycles(known):
        way = " → ".join(cycle)
        closing = by_id[cycle[0]]
        if len(cycle) == 2:
            message = f"'{cycle[0]}' takes its own result ({way}). Name another node."
        else:
            message = f"The nodes feed each other in a circle: {way}. Remove one of these connections."
        yield closing.index, Problem(f"{closing.path}.inputs", message)


def _forward(by_id: Mapping[str, Step], steps: Sequence[Step]) -> Iterator[tuple[str, Step]]:
    """The steps that an id stands for, in the order of the document."""
    for step in steps:
        if step.id and by_id[step.id] is step:
            yield step.id, step


def _ordered_uses(step: Step) -> list[str]:
    named = [id for ids in step.inputs.values() for id in ids]
    return [*named, *sorted(step.uses.difference(named))]


def _ending(steps: Sequence[Step]) -> Iterator[Located]:
    """A pipeline ends in exactly one node that nobody uses, and that node makes a video.

    A misspelled reference counts for the node that it was probably meant for. Says nothing while a node has no id,
    lacks an input, or names a node that nothing resembles: that is reported, and what hangs loose because of it is no
    second mistake.
    """
    ids = {step.id for step in steps if step.id}
    uses = frozenset(use for step in steps for use in step.uses)
    meant = [nearest(use, ids) for use in sorted(uses - ids)]
    if None in meant or any(step.id is None or _lacks_input(step) for step in steps):
        return
    used = uses.union(str(id) for id in meant)
    loose = [step for step in steps if step.id not in used]
    last = len(steps)
    if len(loose) > 1:
        names = listed([str(step.id) for step in loose])
        message = f"No other node uses {names}, so there are {len(loose)} endings. Join them, or remove all but one."
        yield last, Problem("nodes", message)
    elif loose and loose[0].kind:
        step = loose[0]
        if step.kind and step.kind.name == "asset":
            yield (
                last,
                Problem(step.path, f"'{step.id}' is the end of the pipeline, but an asset; nothing would be made."),
            )
        elif step.makes and step.makes != "video":
            message = (
                f"'{step.id}' is the end of the pipeline, but makes {_NAMES[step.makes]}. A pipeline ends in a video."
            )
            yield last, Problem(step.path, message)


def _lacks_input(step: Step) -> bool:
    slots = step.kind.slots.values() if step.kind else ()
    return any(slot.required and len(step.inputs.get(slot.name, ())) < slot.minimum for slot in slots)


def _not_makeable(step: Step) -> Iterator[Problem]:
    if step.kind and not step.kind.makeable:
        able = listed([kind.name for kind in NODE_TYPES.values() if kind.makeable and kind.makes])
        yield Problem(f"{step.path}.type", f"{step.kind.name} can't be made yet. What can: {able}.")


def _unspeakable(config: VoiceoverConfig, script: str, characters: int) -> str:
    """Why a script of that length can't be spoken; one that is too long for one request is spoken in parts."""
    limit = limits.VOICE_MODELS[config.model_id].characters
    if characters > limits.LONGEST_SCRIPT:
        return (
            f"The script '{script}' has {characters:,} characters; one voiceover has at most "
            f"{limits.LONGEST_SCRIPT:,}. Split it over several voiceovers."
        )
    if characters > limit and config.output_format.startswith("opus"):
        return (
            f"The script '{script}' has {characters:,} characters; {config.model_id} speaks at most {limit:,} at once, "
            "and Opus sound can't be joined as it is. Choose an MP3 or WAV 'outputFormat', or split the script."
        )
    return ""


def _too_long(step: Step, by_id: Mapping[str, Step], folder: Path) -> Iterator[Problem]:
    slot = {"generate-voiceover": "script", "generate-animation": "prompt"}.get(step.kind.name if step.kind else "")
    if slot is None or len(step.inputs.get(slot, ())) != 1:
        return
    source = by_id.get(step.inputs[slot][0])
    text = text_of(source.asset, folder) if source and source.asset and source.asset.type == "text" else None
    if text is None or source is None:
        return
    path = f"{step.path}.inputs.{slot}"
    if isinstance(step.config, VoiceoverConfig):
        if problem := _unspeakable(step.config, str(source.id), len(text)):
            yield Problem(path, problem)
    elif isinstance(step.config, RunwayConfig):
        units, limit = len(text.encode("utf-16-le")) // 2, limits.ANIMATION_PROMPT_LIMIT["runway"]
        if units > limit:
            yield Problem(
                path, f"The prompt '{source.id}' has {units:,} characters; runway takes at most {limit:,}. Shorten it."
            )


def _unfit_pictures(step: Step, by_id: Mapping[str, Step], folder: Path) -> Iterator[Problem]:
    """A picture of a kind that the provider refuses; the others would be paid for before it does."""
    provider = getattr(step.config, "provider", "")
    takes = limits.PICTURES.get(provider, ())
    for slot in ("background", "referenceImage") if takes else ():
        for id in step.inputs.get(slot, ()):
            source = by_id.get(id)
            asset = source.asset if source and source.asset and source.asset.type == "image" else None
            head = head_of(asset, folder) if asset else b""
            if head and "image" in kinds_of(head) and picture_format(head) not in takes:
                kinds = f"{', '.join(takes[:-1])} or {takes[-1]}"
                yield Problem(
                    f"{step.path}.inputs.{slot}",
                    f"The picture '{id}' is not {kinds}; {provider} takes no other. Convert it.",
                )


def _unfit_speech(step: Step, by_id: Mapping[str, Step]) -> Iterator[Problem]:
    """Speech in a format that HeyGen refuses."""
    for id in step.inputs.get("audio", ()) if isinstance(step.config, TalkingHeadConfig) else ():
        source = by_id.get(id)
        config = source.config if source else None
        if isinstance(config, VoiceoverConfig) and config.output_format.startswith("opus"):
            yield Problem(
                f"{step.path}.inputs.audio",
                f"HeyGen takes MP3 or WAV, and '{id}' speaks Opus. Set its outputFormat to mp3_44100_128.",
            )
