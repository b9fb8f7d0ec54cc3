"""A request's stream: begun, or taken up where another process left it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from attrs import evolve, field, frozen

from domain.bad_records import BadRecordPolicy
from domain.errors import StreamUnreadable
from domain.events import Listener, StreamOpened, ignore
from domain.intake import Intake
from domain.offsets import OffsetRange, RequestedRange
from domain.progress import StreamProgress
from domain.request import TrainingRequest
from ports import Decoder, RejectedRecords, Spool, SpoolFactory, StreamSource

log = logging.getLogger(__name__)


@frozen
class Reading:
    """
    How streams are read.

    Attributes:
        source: Where they are.

        spool_for: Makes spools for them.

        bad_records: How many of their records may be bad.

        rejected_records: Where bad ones are kept, if the policy diverts them.

        on_event: Is told what happens.
    """

    source: StreamSource
    spool_for: SpoolFactory
    bad_records: BadRecordPolicy = field(factory=BadRecordPolicy)
    rejected_records: RejectedRecords | None = None
    on_event: Listener = ignore

    def begin(
        self, request: TrainingRequest, decoder: Decoder, folder: Path | None
    ) -> Intake:
        """
        Return the stream of *request*, not entered yet.

        Args:
            request: Names the ranges.

            decoder: Makes examples of the records.

            folder: Where the examples are kept for another process; None if they are
                not.

        Raises:
            StreamUnreadable: The ranges are not there.

            Unavailable: The broker stayed away.
        """
        spool, progress = open_stream(request, self.source, self.spool_for, folder)
        self.on_event(StreamOpened(progress.rest, progress.counts))
        return Intake(
            read=partial(self.source.read, progress.rest),
            progress=progress,
            decoder=decoder,
            spool=spool,
            bad_records=self.bad_records,
            rejected_records=self.rejected_records,
            on_event=self.on_event,
        )


def open_stream(
    request: TrainingRequest,
    source: StreamSource,
    spool_for: SpoolFactory,
    folder: Path | None,
) -> tuple[Spool, StreamProgress]:
    """
    Return where the examples of *request* are kept, and how far they were read.

    Args:
        request: Names the ranges.

        source: Where these are.

        spool_for: Makes spools.

        folder: Where a spool is kept for another process; None if none is.

    Returns:
        The spool, and the progress; the rest begins with the opening if that must be
        decoded once more.

    Raises:
        StreamUnreadable: The ranges are not there.

        Unavailable: The broker stayed away.
    """
    if folder is not None and (kept := _taken_up(source, spool_for, folder)):
        return kept
    ranges = source.resolve(request.ranges)
    progress = StreamProgress.none(ranges)
    offsets = progress.counts.offsets
    return spool_for(min(offsets, request.total_msg or offsets), folder), progress


def _taken_up(
    source: StreamSource, spool_for: SpoolFactory, folder: Path
) -> tuple[Spool, StreamProgress] | None:
    """Return what is kept in *folder*, if the stream can go on from there."""
    kept = spool_for.reopen(folder)
    if kept is None:
        return None
    spool, progress = kept
    examples = progress.counts.examples
    extra = {"examples": examples, "rest": [str(r) for r in progress.rest]}
    if progress.rest:
        if progress.opening is not None:
            progress = evolve(progress, rest=(progress.opening, *progress.rest))
        try:
            reason = _missing(source, progress.rest)
        except BaseException:
            spool.close()
            raise
        if reason is not None:
            spool.close()
            log.warning("stream is read again", extra={**extra, "reason": reason})
            return None
    log.info("stream goes on where it was", extra=extra)
    return spool, progress


def _missing(source: StreamSource, rest: Sequence[OffsetRange]) -> str | None:
    """Say why *rest* is no longer to be had, if so."""
    wanted = [RequestedRange(r.topic, r.partition, r.start, r.end) for r in rest]
    try:
        now = source.resolve(wanted)
    except StreamUnreadable as error:
        return str(error)  # another topic may yet have what was asked for at first
    others = {a.topic for a, b in zip(now, rest, strict=True) if a.log != b.log}
    return f"{', '.join(sorted(others))}: made again since" if others else None
