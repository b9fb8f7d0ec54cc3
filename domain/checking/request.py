"""Whether a control message can be honoured: its streams, their first records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from attrs import define, field, frozen

from domain.bad_records import BadRecordPolicy
from domain.batches import ElementSpec
from domain.checking.findings import Finding, Findings, not_checked, ok, warning
from domain.checking.model import Shape
from domain.checking.records import LabelCounts, decoded, labels, suiting
from domain.checking.sample import Sample, Sampling
from domain.checking.streams import (
    count_text,
    empty_parts,
    fix_of,
    mini_batch,
    parts_text,
    ranges_text,
)
from domain.errors import (
    DeploymentInvalid,
    RequestRejected,
    ServiceError,
    Unavailable,
)
from domain.following import labelled_topic, unlabelled_topic
from domain.mini_batches import Pace
from domain.offsets import OffsetRange, RequestedRange
from domain.request import TrainingRequest
from domain.split import SplitRule
from domain.unlabelled import FeaturesOnly
from ports import Decoder, DecoderFactory, LiveStream, StreamSource

T = TypeVar("T")


@frozen
class RequestChecked:
    """
    What was found.

    Attributes:
        findings: It.

        spec: What every example looks like; None if nobody can tell.

        examples: How many there are, at most; in one go, of a stream without an end.
    """

    findings: tuple[Finding, ...]
    spec: ElementSpec | None = None
    examples: int = 0

    @property
    def skipped(self) -> Finding | None:
        """The fault for which the job would skip the message, if it would."""
        return self._first(RequestRejected)

    @property
    def ended(self) -> Finding | None:
        """The fault at which the job would end, if it would."""
        return self._first(Unavailable, DeploymentInvalid)

    def _first(self, *kinds: type[ServiceError]) -> Finding | None:
        faults = (f for f in self.findings if f.error and issubclass(f.error, kinds))
        return next(faults, None)


@frozen
class CheckRequest:
    """
    Looks at what the job would read, and reads the beginning.

    Attributes:
        split: How a complete stream is shared out.

        bad_records: How many records may be bad.

        count_labels: Says which classes there are.

        unsupervised: Whether records without labels count.

        pace: When a mini-batch is complete, if the training mode has mini-batches.

        patience: Seconds that reading the first records of one stream may take.
    """

    stream_source: StreamSource
    live_stream: LiveStream
    decoder_for: DecoderFactory
    split: SplitRule
    bad_records: BadRecordPolicy
    count_labels: LabelCounts
    unsupervised: bool = False
    pace: Pace | None = None
    patience: float = 10.0

    def run(
        self, request: TrainingRequest, timestamp: int, takes: Shape | None
    ) -> RequestChecked:
        """
        Return what the job would find.

        Args:
            request: What the message asks for.

            timestamp: When it was sent.

            takes: Shape of an example that the model takes, if that is known.
        """
        return _Look(self, request, timestamp, takes).run()


@define
class _Look:
    """One look at one request."""

    check: CheckRequest
    request: TrainingRequest
    timestamp: int
    takes: Shape | None
    findings: Findings = field(factory=Findings)

    def run(self) -> RequestChecked:
        check, request = self.check, self.request
        decoder = self._ask("format", lambda: check.decoder_for(request.decoder))
        if decoder is not None:
            self._add(ok("format", request.decoder.format))
        wants_others = check.unsupervised and bool(request.unlabelled)
        if check.unsupervised and not request.unlabelled:
            self._add(
                warning(
                    "unlabelled stream",
                    "the message names none: training would be supervised",
                    "name it in unsupervised_topic, or set UNSUPERVISED to False",
                )
            )
        live = check.pace is not None
        ranges = self._stream("stream", live=live and not wants_others)
        self._parts(ranges, live=live and not wants_others)
        others = self._unlabelled_stream(live=live) if wants_others else ()
        sample = self._records("records", decoder, ranges)
        self._add(labels(sample, check.count_labels))
        if wants_others:
            self._unlabelled_records(ranges, others)
        self._add(suiting(sample, self.takes))
        return RequestChecked(
            tuple(self.findings.found),
            sample.spec if sample else None,
            self._examples(ranges or (), others or (), live=live),
        )

    def _examples(
        self,
        ranges: Sequence[OffsetRange],
        others: Sequence[OffsetRange],
        *,
        live: bool,
    ) -> int:
        """Count what is kept at the same time, at most."""
        pace, wants_others = self.check.pace, bool(others)
        if live and pace is not None:
            return pace.records + (sum(map(len, ranges)) if wants_others else 0)
        return sum(map(len, (*ranges, *others)))

    def _stream(self, subject: str, *, live: bool) -> Sequence[OffsetRange] | None:
        """Look where the labelled records are."""
        if live:
            return self._followed(
                subject, partial(labelled_topic, self.request, self.check.pace)
            )
        request = self.request
        ranges = self._resolve(subject, request.ranges)
        if ranges is None:
            return None
        offsets, told = sum(map(len, ranges)), ranges_text(ranges)
        if request.total_msg not in {None, offsets}:
            self._add(
                warning(
                    subject,
                    f"{told}, but the message announces {request.total_msg:,}",
                    "send the message again, with the ranges that were written",
                )
            )
        else:
            self._add(ok(subject, told))
        return ranges

    def _unlabelled_stream(self, *, live: bool) -> Sequence[OffsetRange] | None:
        subject, request = "unlabelled stream", self.request
        if live:
            topic = partial(unlabelled_topic, request, self.check.pace)
            return self._followed(subject, topic)
        ranges = self._resolve(subject, request.unlabelled)
        if ranges is not None:
            self._add(ok(subject, ranges_text(ranges)))
        return ranges

    def _resolve(
        self, subject: str, ranges: Sequence[RequestedRange]
    ) -> Sequence[OffsetRange] | None:
        source = self.check.stream_source
        return self._ask(subject, lambda: source.resolve(ranges))

    def _followed(
        self, subject: str, topic: Callable[[], str]
    ) -> Sequence[OffsetRange] | None:
        """Look where a topic would be followed from, and what is there by now."""
        live, timestamp = self.check.live_stream, self.timestamp
        position = self._ask(subject, lambda: live.begin(topic(), timestamp))
        if position is None:
            return None
        name = position.topic
        if not position.offsets:
            self._add(
                warning(
                    subject,
                    f"{name}: no such topic yet, the job would wait for it",
                    "check the name, or create it",
                )
            )
            return ()
        there = [RequestedRange(name, p, o, None) for p, o in position.offsets.items()]
        ranges = self._resolve(subject, there)
        if ranges is not None:
            places = ", ".join(f"{r.topic}[{r.partition}]@{r.start}" for r in ranges)
            text = f"the job would begin at {places}; {count_text(ranges)} since then"
            self._add(ok(subject, text))
        return ranges

    def _parts(self, ranges: Sequence[OffsetRange] | None, *, live: bool) -> None:
        """Look how the labelled records would be shared out."""
        subject, request, pace = "parts", self.request, self.check.pace
        if ranges is None:
            self._add(not_checked(subject, "the stream is not there"))
            return
        if live and pace is not None:
            rows, of = pace.records, "of a full mini-batch "
            split = self._ask(subject, lambda: mini_batch(request, rows))
        else:
            rows, of = sum(map(len, ranges)), ""
            split = self._ask(subject, lambda: self.check.split(request, rows))
        if split is not None:
            empty = list(empty_parts(request, split, live=live))
            self._add(*empty or [ok(subject, of + parts_text(split))])

    def _records(
        self,
        subject: str,
        decoder: Decoder | None,
        ranges: Sequence[OffsetRange] | None,
    ) -> Sample | None:
        """Decode the first records."""
        if decoder is None or ranges is None:
            what = "the format is not served" if decoder is None else "no stream"
            self._add(not_checked(subject, what))
            return None
        if not any(map(len, ranges)):
            self._add(not_checked(subject, "there are none yet"))
            return None
        check = self.check
        sampling = Sampling(check.stream_source, check.patience)
        sample = self._ask(subject, lambda: sampling.take(ranges, decoder))
        if sample is None:
            return None
        offsets = sum(map(len, ranges))
        policy, patience = check.bad_records, check.patience
        self._add(decoded(subject, sample, offsets, policy, patience))
        return sample

    def _unlabelled_records(
        self,
        ranges: Sequence[OffsetRange] | None,
        others: Sequence[OffsetRange] | None,
    ) -> None:
        """Decode the first unlabelled records by the look of the labelled ones."""
        check, subject = self.check, "unlabelled records"
        if ranges is None or not any(map(len, ranges)):
            self._add(not_checked(subject, "there are no labelled ones to go by"))
            return
        decoder = self._ask(subject, lambda: check.decoder_for(self.request.decoder))
        if decoder is None:
            return
        features_only = FeaturesOnly(decoder, lambda: check.stream_source.read(ranges))
        self._records(subject, features_only, others)

    def _ask(self, subject: str, question: Callable[[], T]) -> T | None:
        return self.findings.ask(subject, question, fix_of)

    def _add(self, *findings: Finding) -> None:
        self.findings.add(*findings)
