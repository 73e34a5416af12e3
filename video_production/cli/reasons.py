"""`why`: where a node is, how it came there, and what can be done, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from video_production import errors
from video_production.cli.waiting import ordinal
from video_production.cli.words import amount, count, elapsed, listing, money, quoted
from video_production.nodes.model import Desired, Node, NodeStatus, Pipeline
from video_production.settings import PROVIDER_FACTS
from video_production.takes.model import Take, TakeState

__all__ = ["Reasons", "Situation", "reasons", "reasons_object"]

_WHO = {
    "caller": "Whoever asked for it has to mend that.",
    "operator": "Whoever runs this environment has to mend that.",
}
_WORDS = {
    NodeStatus.PENDING: "not started",
    NodeStatus.IN_PROGRESS: "under way",
    NodeStatus.COMPLETED: "finished",
    NodeStatus.FAILED: "failed",
}


@dataclass(frozen=True)
class Situation:
    """What is known. `takes` are the results that the node consists of; `place` is where it stands in the queue for
    its provider; `would` says why the document as it is now makes it again; `document` and `option` are for commands.
    """

    pipeline: Pipeline
    nodes: Mapping[str, Node]
    takes: tuple[Take, ...]
    now: float
    document: str
    option: str = ""
    place: int | None = None
    would: tuple[str, ...] = ()


@dataclass
class Reasons:
    """`state` in two words, `told` sentence by sentence, `todo` as commands with a remark each."""

    node: str
    state: str
    told: list[str] = field(default_factory=list)
    todo: list[tuple[str, str]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        yield f" {self.node}: {self.state}"
        yield from (f"   {sentence}" for sentence in self.told)
        for number, (command, remark) in enumerate(self.todo):
            yield f" {'Next:' if number == 0 else '     '} {command}{f'  {remark}' if remark else ''}"


def reasons_object(found: Reasons) -> dict[str, Any]:
    """For programs."""
    todo = [{"command": command, "does": remark} for command, remark in found.todo]
    return {"node": found.node, "state": found.state, "why": found.told, "next": todo}


def reasons(situation: Situation, node: Node) -> Reasons:
    """Why `node` is where it is."""
    found = Reasons(node.id, _WORDS[node.status])
    told = {
        NodeStatus.COMPLETED: _completed,
        NodeStatus.FAILED: _failed,
        NodeStatus.PENDING: _pending,
        NodeStatus.IN_PROGRESS: _under_way,
    }
    told[node.status](situation, node, found)
    if situation.would:
        found.told.append(
            f"The document has changed since: it will be made again because {', '.join(situation.would)}."
        )
        found.todo = [(_produce(situation), "makes that so")]
    return found


# Finished


def _completed(situation: Situation, node: Node, found: Reasons) -> None:
    if node.type == "asset":
        found.told.append("It is part of the document and lies in the bucket.")
        return
    shared = [take for take in situation.takes if _of_another(take, node)]
    if node.metadata.get("reused") and situation.takes:
        when = f" on {_moment(situation.takes[0].current.sent_at)}"
        whose = f" for {shared[0].current.node_id} of {shared[0].current.pipeline_id}" if shared else ""
        found.told.append(f"Nothing was bought: the very same was bought before,{when}{whose}, and is used again.")
    elif situation.takes:
        found.told += [_bought(take) for take in situation.takes]
    else:
        begun, ended = node.metadata.get("started_at"), node.metadata.get("finished_at")
        took = f" in {elapsed(ended - begun)}" if begun and ended else ""
        found.told.append(
            f"It was made by {node.provider or 'this program'}{took}, on {_moment(ended or node.touched_at)}."
        )
    if node.because and node.because != ("it is new",):
        because = [cause.replace(" is made again", " was made again") for cause in node.because]
        found.told.append(f"It was made in the last run because {', '.join(because)}.")


def _bought(take: Take) -> str:
    last, title = take.current, PROVIDER_FACTS[take.provider].title
    what = amount(take.cost.quantity, take.cost.unit)
    bill = f"{what} for {money(take.cost.usd)}" if take.mode == "live" else f"a draft of {what}, for nothing"
    refused = sum(attempt.state == TakeState.REFUSED for attempt in take.attempts.values())
    tries = f" after {count(refused, 'refusal')}" if refused else ""
    return f"{title} made it on {_moment(last.ended_at or last.sent_at)}{tries}: {bill}."


def _of_another(take: Take, node: Node) -> bool:
    last = take.current
    return bool(last.node_id) and (last.pipeline_id, last.node_id) != (node.pipeline_id, node.id)


# Failed


def _failed(situation: Situation, node: Node, found: Reasons) -> None:
    kind = getattr(errors, str(node.metadata.get("error_type", "")), None)
    stopped = node.metadata.get("error_type") == "Cancelled"
    if stopped:
        found.state = "stopped"
    found.told.append(str(node.metadata.get("error") or "No reason was written down; see the logs."))
    undecided = [take for take in situation.takes if take.state in (TakeState.UNKNOWN, TakeState.ABANDONED)]
    charged = [take for take in situation.takes if take.state == TakeState.FAILED and take.current.charged is not False]
    made = [take for take in situation.takes if take.made]
    if undecided:
        usd = sum(take.price.usd for take in undecided)
        found.told.append(f"Nobody but {_titles(undecided)} knows whether {money(usd)} were charged; a person decides.")
        for option, remark in (
            ("--adopt ID", "if it is there: use it"),
            ("--pay-again", "if it is not: send it again"),
            ("--give-up", "leave it"),
        ):
            found.todo.append((f"{_command(situation, 'resolve', node.id)} {option}", remark))
        return
    if charged:
        found.told.append(f"{_titles(charged)} may have charged for it all the same.")
        found.todo.append((_command(situation, "retry", node.id), "sends it again and may cost again"))
        return
    if not stopped and isinstance(kind, type) and issubclass(kind, errors.VideoProductionError):
        found.told += _whose(kind, node)
    if node.type.startswith("generate-"):
        found.told.append("What was bought of it is kept." if made else "Nothing was paid for it.")
    if kind is errors.BudgetExceeded:
        found.todo.append((f"{_produce(situation)} --budget USD", "with a higher budget"))
        return
    found.todo.append((_produce(situation), "goes on" if stopped else "tries again, when that is mended"))


def _whose(kind: type[errors.VideoProductionError], node: Node) -> list[str]:
    """Who must act. A refusal says that itself: it may lie with the account, the document or the provider."""
    title = PROVIDER_FACTS[str(node.provider)].title if node.provider in PROVIDER_FACTS else "The provider"
    if issubclass(kind, errors.ProviderRefused):
        return [f"{title} refused the request."]
    if issubclass(kind, errors.ProviderJobFailed):
        return [f"{title} took the request and ended it without a result."]
    return [_WHO[kind.who]] if kind.who in _WHO else []


def _titles(takes: list[Take]) -> str:
    return listing(list(dict.fromkeys(PROVIDER_FACTS[take.provider].title for take in takes)))


# Not finished


def _pending(situation: Situation, node: Node, found: Reasons) -> None:
    missing = [situation.nodes[id] for id in dict.fromkeys(node.input_ids) if id in situation.nodes]
    missing = [source for source in missing if source.status != NodeStatus.COMPLETED]
    roots = list(_failed_before(situation, node))
    if roots:
        found.state = "not made"
        for root in roots:
            found.told.append(f"It needs {root.id}, which failed: {root.metadata.get('error', 'no reason is known')}")
        found.todo += [(_command(situation, "why", root.id), "") for root in roots]
    elif missing:
        waits = listing([f"{source.id} ({_progress(source)})" for source in missing])
        found.told.append(f"It waits for {waits}.")
    elif situation.place:
        title = PROVIDER_FACTS[str(node.provider)].title
        found.state = "waiting in the queue"
        found.told.append(
            f"All its inputs are there. It is {ordinal(situation.place)} in the queue for {title}, which does only so "
            "many jobs at once."
        )
    if node.because and not roots:
        found.told.append(f"It is to be made because {', '.join(node.because)}.")
    if roots:
        return
    if situation.pipeline.editing:
        found.told.append("An edit of the pipeline was begun and not finished.")
        found.todo.append((_produce(situation), "finishes it"))
    elif situation.pipeline.desired == Desired.CANCELLED:
        found.told.append("The pipeline was cancelled.")
        found.todo.append((_produce(situation), "goes on"))
    elif situation.pipeline.outcome:
        found.told.append("Nobody has asked for it since the last run ended.")
        found.todo.append((_produce(situation), "makes it"))
    elif not missing and not situation.place:
        found.told.append("All its inputs are there; it starts at the scheduler's next look.")
        found.todo.append((_produce(situation), "goes on, if the run was interrupted"))


def _failed_before(situation: Situation, node: Node) -> Iterator[Node]:
    """The failed nodes that `node` takes, directly or through others, each once."""
    seen, stack = set(), list(node.input_ids)
    while stack:
        id = stack.pop()
        source = situation.nodes.get(id)
        if source is None or id in seen:
            continue
        seen.add(id)
        if source.status == NodeStatus.FAILED:
            yield source
        elif source.status != NodeStatus.COMPLETED:
            stack += source.input_ids


def _progress(node: Node) -> str:
    stage = node.metadata.get("stage") if node.status == NodeStatus.IN_PROGRESS else None
    return str(stage or _WORDS[node.status])


def _under_way(situation: Situation, node: Node, found: Reasons) -> None:
    begun = node.metadata.get("started_at")
    since = f" for {elapsed(max(0.0, situation.now - begun))}" if begun else ""
    found.told.append(f"It is being made{since}: {node.metadata.get('stage') or 'starting'}.")
    for take in situation.takes:
        if not take.made:
            found.told += _of_open(situation, node, take)
    if node.because:
        found.told.append(f"It is made because {', '.join(node.because)}.")


def _of_open(situation: Situation, node: Node, take: Take) -> Iterator[str]:
    last, title = take.current, PROVIDER_FACTS[take.provider].title
    if take.state == TakeState.SUBMITTED:
        answer = node.metadata.get("last_answer")
        yield f"{title} has it since {_moment(last.sent_at)} as {last.external_id}" + (
            f" ({answer})." if answer else "."
        )
        if _of_another(take, node):
            yield f"It was sent for {last.node_id} of {last.pipeline_id}, which wants the same; it is paid once."
    elif take.state == TakeState.SUBMITTING and situation.now < last.quiet_at:
        yield (
            f"Its request was sent to {title} and no answer has come. It is not sent again; what became of it is "
            f"looked for in {elapsed(last.quiet_at - situation.now)}."
        )
    elif take.state == TakeState.SUBMITTING:
        yield f"No answer came from {title}; what became of the request is being looked for."
    elif take.state == TakeState.REFUSED and last.retry_at is not None:
        wait = max(0.0, last.retry_at - situation.now)
        refusal = last.message or last.code
        yield f"{title} refused it ({refusal}). Nothing was paid; it is sent again in {elapsed(wait)}."


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at):%Y-%m-%d at %H:%M}"


def _command(situation: Situation, name: str, node: str) -> str:
    return f"./jiki-video {name} {quoted(situation.document)} {node}{situation.option}"


def _produce(situation: Situation) -> str:
    live = "".join(f" --live {name}" for name in situation.pipeline.live or ())
    return f"./jiki-video produce {quoted(situation.document)}{situation.option}{live}"
