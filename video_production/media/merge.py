"""Joins videos in the cheapest way that is safe, wherever they lie: on this machine or in S3.

    splice          all are encoded alike: a new header, and the media copied as it is (inside S3, by S3)
    splice-inband   only when asked for or allowed: codec settings differ, and go into the stream as it passes us
    reencode-some   some differ: these are encoded like the others, then everything is spliced
    reencode-all    nothing can be kept: everything is decoded and encoded once

Every way is proven by decoding before the destination changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from video_production.errors import MediaError, RequestError, VerificationFailed
from video_production.media.abandoned import UPLOAD_LIFETIME, abort_abandoned
from video_production.media.clip_parts import encoder_entry
from video_production.media.join_plan import Method, PlannedInput, Treatment, choose_picture, plan_join, refuse_unfit
from video_production.media.merge_result import MergeResult, OnProgress
from video_production.media.mp4.reader import looks_like_mp4
from video_production.media.mp4.source import LocalFile, S3Object, Source
from video_production.media.probe import probe, probe_source
from video_production.media.reencode import LocalClip, reencode
from video_production.media.selective import Fitted, can_fit, fit_others, reason_of_some, told_of
from video_production.media.splice.engine import Splice, plan_splice, read_candidates
from video_production.media.splice.fitting import Differences
from video_production.media.splice.parts import Bytes, Range
from video_production.media.splice.result import spliced_result
from video_production.media.splice.transfer import Transferred, write_file, write_object
from video_production.storage import CHUNK, PART, PUT_TOGETHER, S3Location, Storage, Tags, file_name

__all__ = ["Explained", "Explanation", "MergeInput", "Merged", "Wish", "explain", "merge"]

Wish = Literal["auto", "splice", "splice-inband", "reencode-some", "reencode-all"]
"""A method that somebody asks for; "auto" takes the cheapest safe one."""

_OPENED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class MergeInput:
    """One video in playing order: `name` is what people call it; `sha256` identifies its content, where it is known.

    `title` is what its chapter is called, the name where there is none.
    """

    name: str
    source: Path | S3Location
    sha256: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Merged:
    """A finished, verified video of `size` bytes, and how many bytes moved which way.

    `sha256` identifies its content: the digest of its bytes where they passed through us, else `PUT_TOGETHER` and the
    digest of what it was put together from.
    """

    size: int
    sha256: str
    result: MergeResult
    moved: Transferred


@dataclass(frozen=True, slots=True)
class Explained:
    """What would happen to one input, in plain words."""

    name: str
    treatment: Treatment
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """How inputs would be merged. `method` and `reason` as the merge would answer them."""

    method: Method
    reason: str
    inputs: tuple[Explained, ...]


def explain(
    inputs: Sequence[MergeInput],
    work: Path,
    *,
    storage: Storage | None = None,
    method: Wish = "auto",
    ffmpeg: str = "ffmpeg",
) -> Explanation:
    """Say how `inputs` would be merged, and do nothing. Raises what `merge` raises for inputs that can't be joined."""
    if not inputs:
        raise MediaError("There is nothing to merge: no clips were given.")
    with ExitStack() as opened:
        run = _Run(inputs, work / "out.mp4", work, storage, False, (), None, _unheard, ffmpeg, opened)
        return run.explain(method)


def merge(
    inputs: Sequence[MergeInput],
    destination: Path | S3Location,
    work: Path,
    *,
    storage: Storage | None = None,
    draft: bool = False,
    tags: Tags = (),
    method: Wish = "auto",
    deadline: float | None = None,
    on_progress: OnProgress | None = None,
    ffmpeg: str = "ffmpeg",
    allow_inband: bool = False,
    folder: str = "",
    upload_lifetime: float = UPLOAD_LIFETIME,
) -> Merged:
    """Join `inputs` in order into `destination`, which changes only once the result has been verified.

    `storage` is needed where anything lies in S3. `work` is a folder for files, used only where something is
    re-encoded; `allow_inband` lets `auto` put codec settings into the stream before it encodes. `draft` marks the file
    as containing a draft's work; `tags` are for an object in S3. `deadline` is a `time.monotonic` value. Uploads that
    killed merges left open are aborted once they are `upload_lifetime` seconds old: those of the destination, or of
    all below `folder`, where only earlier tries of this merge have written.
    Raises MediaError (inputs that can't be joined), RequestError (a `method` that does not fit), OutOfTime,
    OperatorError, TransientError, VerificationFailed.
    """
    if not inputs:
        raise MediaError("There is nothing to merge: no clips were given.")
    with ExitStack() as opened:
        report = on_progress or _unheard
        run = _Run(inputs, destination, work, storage, draft, tags, deadline, report, ffmpeg, opened)
        run.allow_inband, run.folder, run.lifetime = allow_inband, folder, upload_lifetime
        return run.merge(method)


@dataclass(slots=True)
class _Run:
    """One merge under way."""

    inputs: Sequence[MergeInput]
    destination: Path | S3Location
    work: Path
    storage: Storage | None
    draft: bool
    tags: Tags
    deadline: float | None
    report: OnProgress
    ffmpeg: str
    opened: ExitStack
    allow_inband: bool = False
    folder: str = ""
    lifetime: float = UPLOAD_LIFETIME
    read_before: int = field(init=False, default=0)
    objects: list[S3Object] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.read_before = self.storage.bytes_read if self.storage else 0

    def merge(self, wish: Wish) -> Merged:
        if wish == "reencode-all":
            return self._reencode()
        candidates = read_candidates(
            [(each.name, source) for each, source in zip(self.inputs, self._open(), strict=True)],
            partial(self.report, "reading"),
        )
        plan = plan_splice(candidates, inband=wish == "splice-inband")
        if wish == "auto" and self.allow_inband and not isinstance(plan, Splice):
            inband = plan_splice(candidates, inband=True)
            plan = inband if isinstance(inband, Splice) else plan
        if isinstance(plan, Splice):
            # One table of all samples is enough to keep in memory.
            plan = plan.marked(draft=self.draft, chapters=self._titles)
            method: Method = "splice-inband" if plan.inband else "splice"
            return self._splice(plan, method) if wish != "auto" else self._splice_or_reencode(plan, method)
        if wish in ("splice", "splice-inband"):
            raise _unfit(wish, self.inputs, plan)
        fitted = fit_others(
            candidates,
            plan,
            self._fetch,
            self.work,
            on_progress=partial(self.report, "encoding"),
            deadline=self.deadline,
            ffmpeg=self.ffmpeg,
        )
        if fitted is None:
            if wish == "reencode-some":
                raise _unfit(wish, self.inputs, plan)
            return self._reencode()
        for source in fitted.opened:
            self.opened.callback(source.close)
        fitted = replace(fitted, splice=fitted.splice.marked(draft=self.draft, chapters=self._titles))
        if wish == "auto":
            return self._splice_or_reencode(fitted.splice, "reencode-some", fitted)
        return self._splice(fitted.splice, "reencode-some", fitted)

    @property
    def _titles(self) -> list[str]:
        return [each.title or each.name for each in self.inputs]

    def _splice_or_reencode(self, plan: Splice, method: Method, fitted: Fitted | None = None) -> Merged:
        """A splice that does not pass its check was never written; what decodes can still be encoded."""
        try:
            return self._splice(plan, method, fitted)
        except VerificationFailed as why:
            made = self._reencode()
            warning = f"Copying did not pass its check, so the videos were re-encoded. {why}"
            return replace(made, result=replace(made.result, warnings=(*made.result.warnings, warning)))

    def explain(self, wish: Wish) -> Explanation:
        sources = self._open()
        named = [(each.name, source) for each, source in zip(self.inputs, sources, strict=True)]
        if wish == "reencode-all":
            return self._explain_reencoding(named)
        candidates = read_candidates(named)
        plan = plan_splice(candidates, inband=wish == "splice-inband")
        if isinstance(plan, Splice):
            result = spliced_result(plan)
            told = tuple(Explained(join.name, join.treatment, join.why) for join in result.joins)
            return Explanation(result.method, result.reason, told)
        if wish in ("splice", "splice-inband"):
            raise _unfit(wish, self.inputs, plan)
        model = can_fit(candidates, plan, self.work, deadline=None, ffmpeg=self.ffmpeg)
        if model:
            found = [(name, why) for (name, _), why in zip(named, plan, strict=True)]
            told = tuple(Explained(name, *told_of(why)) for name, why in found)
            return Explanation("reencode-some", reason_of_some(found), told)
        if wish == "reencode-some":
            raise _unfit(wish, self.inputs, plan)
        return self._explain_reencoding(named)

    def _explain_reencoding(self, named: Sequence[tuple[str, Source]]) -> Explanation:
        planned = [
            PlannedInput(
                name, probe_source(source) if looks_like_mp4(source) else probe(self._fetch(index), self.ffmpeg)
            )
            for index, (name, source) in enumerate(named)
        ]
        for clip in planned:
            refuse_unfit(clip)
        picture = choose_picture(planned)
        plan = plan_join(planned, encoder_entry=encoder_entry(picture, self.work, deadline=None, ffmpeg=self.ffmpeg))
        told = tuple(Explained(each.name, each.treatment, each.why) for each in plan.inputs)
        return Explanation(plan.method, plan.reason, told)

    def _open(self) -> list[Source]:
        def open_one(each: MergeInput) -> Source:
            if isinstance(each.source, Path):
                return LocalFile(each.source)
            return S3Object(self._storage().client, each.source.bucket, each.source.key)

        with ThreadPoolExecutor(_OPENED_AT_ONCE) as pool:
            sources = list(pool.map(open_one, self.inputs))
        for source in sources:
            if isinstance(source, LocalFile):
                self.opened.callback(source.close)
            elif isinstance(source, S3Object):
                self.objects.append(source)
        return sources

    def _storage(self) -> Storage:
        if self.storage is None:
            raise RequestError("An S3 URL was given, but no connection to S3.")
        return self.storage

    def _splice(self, plan: Splice, method: Method, fitted: Fitted | None = None) -> Merged:
        pieces, sources = plan.assembly.pieces, plan.sources
        if isinstance(self.destination, Path):
            self._check(plan)
            moved = write_file(pieces, sources, self.destination, on_progress=partial(self.report, "joining"))
        elif method != "splice" or not all(isinstance(source, S3Object) for source in sources):
            self._check(plan)
            moved = self._store(plan, self.destination)
        else:  # S3 copies while we check; what does not pass never appears
            with ThreadPoolExecutor(1) as pool:
                check = pool.submit(plan.verify, ffmpeg=self.ffmpeg, deadline=self.deadline)
                moved = self._store(plan, self.destination, check.result)
        result = spliced_result(plan)
        if fitted is not None:
            result = fitted.told(result)
        identity = moved.sha256 or self._identity(plan)
        return Merged(moved.size, identity, replace(result, method=method), self._counted(moved))

    def _check(self, plan: Splice) -> None:
        self.report("checking", 0.0)
        plan.verify(ffmpeg=self.ffmpeg, deadline=self.deadline, on_progress=partial(self.report, "checking"))

    def _store(self, plan: Splice, destination: S3Location, proven: Callable[[], object] = lambda: None) -> Transferred:
        moved = write_object(
            self._storage().client,
            plan.assembly.pieces,
            plan.sources,
            destination,
            tags=self.tags,
            on_progress=partial(self.report, "joining"),
            deadline=self.deadline,
            proven=proven,
            before_upload=partial(self._clean_up, destination),
        )
        self._storage().bytes_written += moved.written
        return moved

    def _clean_up(self, destination: S3Location) -> None:
        client = self._storage().client
        abort_abandoned(client, destination, folder=self.folder, lifetime=self.lifetime)

    def _identity(self, plan: Splice) -> str:
        """A digest of what a splice is put together from: the bytes that we made, and ranges of known contents."""
        digest = hashlib.sha256()
        for piece in plan.assembly.pieces:
            if isinstance(piece, Bytes):
                digest.update(piece.content)
                continue
            source = plan.sources[piece.source]
            if isinstance(source, S3Object):
                known = self.inputs[piece.source].sha256 or source.etag
                digest.update(f"{known}:{piece.start}:{piece.size}".encode())
            elif isinstance(self.destination, Path):
                digest.update(f"{source.name}:{source.size}:{piece.start}:{piece.size}".encode())
            else:
                self._digest(digest, source, piece)
        return PUT_TOGETHER + digest.hexdigest()

    @staticmethod
    def _digest(digest: Any, source: Source, piece: Range) -> None:
        for offset in range(piece.start, piece.start + piece.size, CHUNK):
            digest.update(source.read(offset, min(CHUNK, piece.start + piece.size - offset)))

    def _counted(self, moved: Transferred) -> Transferred:
        """With everything that was fetched on the way, and told to the storage that counts for the metrics."""
        if self.storage is None:
            return moved
        fetched = sum(source.fetched for source in self.objects)
        read = fetched + self.storage.bytes_read - self.read_before
        self.storage.bytes_read += fetched
        return replace(moved, read=read)

    def _reencode(self) -> Merged:
        clips = [LocalClip(each.name, self._fetch(index)) for index, each in enumerate(self.inputs)]
        read = sum(clip.path.stat().st_size for clip in clips)
        local = self.destination if isinstance(self.destination, Path) else self.work / "merged.mp4"
        result = reencode(
            clips,
            local,
            self.work,
            draft=self.draft,
            on_progress=self.report,
            deadline=self.deadline,
            ffmpeg=self.ffmpeg,
        )
        size, sha256 = local.stat().st_size, ""
        if isinstance(self.destination, S3Location):
            target = self.destination
            if size >= PART:
                self._clean_up(target)
            sha256 = self._storage().upload(local, target.bucket, target.key, "video/mp4", self.tags).sha256
            local.unlink()
        return Merged(size, sha256, result, self._counted(Transferred(size, read, size, 0)))

    def _fetch(self, index: int) -> Path:
        """An input as a file on this machine."""
        source = self.inputs[index].source
        if isinstance(source, Path):
            return source
        path = self.work / f"input-{index:04}" / file_name(source.key)
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            self.report("fetching", index / len(self.inputs))
            self._storage().download(source.bucket, source.key, path)
        return path


def _unfit(wish: Wish, inputs: Sequence[MergeInput], obstacles: Sequence[Differences]) -> RequestError:
    first = next(f"{each.name}: {why}" for each, why in zip(inputs, obstacles, strict=True) if str(why))
    return RequestError(f"These videos can't be joined by '{wish}' ({first}); 'auto' takes what fits.")


def _unheard(stage: str, fraction: float) -> None:
    """Progress that nobody asked for."""
