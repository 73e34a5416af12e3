"""From takes that have ended to the end of their node (protocol: rows 10 and 11). Nothing here is paid for."""

from __future__ import annotations

from contextlib import suppress

from video_production.errors import (
    Cancelled,
    InputError,
    MayHaveBeenPaid,
    MediaError,
    ProviderError,
    Superseded,
    TransientError,
)
from video_production.nodes.model import Desired, Node, NodeStatus, Output
from video_production.nodes.table import Claim, NodeTable
from video_production.providers.interface import Destination, GenerationProvider, Made
from video_production.settings import ProviderSettings
from video_production.storage import Storage
from video_production.takes.deciding import may_buy_again, named, raise_if_ended, sent_again_in
from video_production.takes.fingerprint import joined_id
from video_production.takes.model import Take
from video_production.takes.table import TakeTable
from video_production.takes.wanted import Part, Wanted, read_wanted

__all__ = ["Completer"]


class Completer:
    """Ends the nodes of one provider with what was bought for them."""

    def __init__(
        self,
        provider: GenerationProvider,
        settings: ProviderSettings,
        nodes: NodeTable,
        takes: TakeTable,
        storage: Storage,
    ) -> None:
        self.provider = provider
        self.settings = settings
        self.nodes = nodes
        self.takes = takes
        self.storage = storage

    def takes_of(self, wanted: Wanted) -> list[Take | None]:
        """The takes of all parts, in order, as they are now."""
        found = {identity: self.takes.get(identity) for identity in wanted.take_ids}
        return [found[identity] for identity in wanted.take_ids]

    def complete(self, wanted: Wanted, *, fresh: bool = False) -> None:
        """Complete a node all of whose parts are made. They were paid for: if one is gone, a person says what happens.

        `fresh`: the last one was stored just now. Raises Superseded, Cancelled, MediaError, TransientError and
        OperatorError.
        """
        takes = [self._made(wanted.node, take) for take in self.takes_of(wanted)]
        results = [take.made for take in takes if take.made]
        if not fresh:
            for made in results:
                self._find(wanted.node, made)
        if wanted.pipeline.desired == Desired.CANCELLED:
            raise Cancelled("The pipeline was cancelled; what had been paid for is kept and will be reused.")
        whole = results[0] if len(results) == 1 else self._joined(wanted, results)
        output = Output(
            type=whole.type,
            s3_key=whole.s3_key,
            size=whole.size,
            sha256=whole.sha256,
            bucket=whole.bucket,
            duration=whole.duration,
            draft=self.settings.mode == "draft",
            voice=wanted.node.type == "generate-voiceover",
            captions=whole.captions,
            details={"parts": len(results)} if len(results) > 1 else {},
        )
        external_id = whole.external_id or takes[-1].current.external_id
        self.nodes.complete(wanted.claim, output, wanted.take_ids, external_id=external_id, stage="done")

    def end_waiting(self, take: Take, now: float) -> None:
        """End the node that a take was bought for, if it still waits for it: complete it where nothing else is missing,
        fail it with what ended the take. Its own execution may be asleep for minutes.

        Other nodes that want the same result find it at their next step. Raises TransientError, OperatorError.
        """
        bought_for = take.current
        node = self.nodes.node(bought_for.pipeline_id, bought_for.node_id) if bought_for.node_id else None
        if node is None or node.status != NodeStatus.IN_PROGRESS or not node.process_uuid:
            return
        if take.id not in node.metadata.get("takes", ()):
            return
        claim = Claim(node.pipeline_id, node.id, node.process_uuid)
        with suppress(Superseded, Cancelled, InputError):  # what is wrong with it, the node's own next step says
            wanted = read_wanted(claim, self.nodes, self.storage, self.provider, self.settings)
            if not wanted.shown or wanted.pipeline.desired != Desired.RUN:
                return
            takes = self.takes_of(wanted)
            part = wanted.next_part(takes)
            if part is None:
                self.complete(wanted)
            else:
                self._fail(wanted, part, takes[part.number - 1], now)

    def _fail(self, wanted: Wanted, part: Part, take: Take | None, now: float) -> None:
        """Fail a node with what ended its next part, unless that is bought again or has not ended."""
        if take is None or may_buy_again(wanted.node, take, now) or sent_again_in(take, now) is not None:
            return
        try:
            with named(part):
                raise_if_ended(take, self.provider.title)
        except (Cancelled, MayHaveBeenPaid, ProviderError) as error:
            self.nodes.fail(wanted.claim, str(error), type(error).__name__)

    def _joined(self, wanted: Wanted, results: list[Made]) -> Made:
        """The parts as one, under a name that they alone decide: whoever joins them writes the same bytes there."""
        self.nodes.touch(wanted.claim, stage="joining")
        folder = Destination(wanted.pipeline.bucket, f"takes/{joined_id(wanted.take_ids)}/joined/")
        return self.provider.assemble(results, wanted.request, folder)

    def _made(self, node: Node, take: Take | None) -> Take:
        if take is None or take.made is None:
            raise TransientError(f"The result of node {node.id} is not readable yet.")
        return take

    def _find(self, node: Node, made: Made) -> None:
        stored = self.storage.head(made.bucket, made.s3_key)
        if stored is None or stored.size != made.size:
            raise MediaError(
                f"Node {node.id}: what was made and paid for earlier no longer lies at "
                f"s3://{made.bucket}/{made.s3_key}; restore it, or change the node's config or its inputs to have "
                "another one made."
            )
