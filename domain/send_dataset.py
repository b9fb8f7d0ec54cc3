"""
The sender: put a data set on a topic, then tell the deployment where it lies.

What is announced are the offsets that the broker gave to our own records, one by one;
unless every one of them was accepted, nothing is announced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from attrs import field, frozen

from domain.batches import BinaryColumn, ExampleBatch
from domain.errors import ServiceError
from domain.offsets import OffsetRange
from domain.request import DeploymentId
from domain.sending import (
    Announcement,
    DataInvalid,
    Delivered,
    DeliveryListener,
    InvalidExample,
    OutgoingRecords,
    Stream,
)
from ports import Encoder, ExampleSource, Publisher

NO_LABEL = b"\x00"
"""The key of records without labels (contract, section 10.5)."""


def _say_nothing(_: Delivered) -> None:
    return


@frozen
class Unlabelled:
    """
    Examples without labels, for semi-supervised training.

    Attributes:
        source: The examples; should they have labels, these are left out.

        topic: Where they go.
    """

    source: ExampleSource
    topic: str


@frozen
class SendDataset:
    """
    Send one data set to one deployment.

    Attributes:
        source: The labelled examples.

        topic: Where they go.

        unlabelled: Examples without labels, if there are any.

        validation_rate: Share of the labelled ones for validation, 0 to 1.

        test_rate: Share of the labelled ones for the test, 0 to 1.

        incremental: Whether the deployment trains on records as they come: it is told
            of them before the first one.  With unlabelled ones it is these that come,
            the labelled ones are there before.

        batch_size: Examples that are read and encoded in one go.

        on_delivery: Is told how far it has got.
    """

    source: ExampleSource
    encoder: Encoder
    publisher: Publisher
    topic: str
    deployment_id: DeploymentId
    unlabelled: Unlabelled | None = None
    validation_rate: float = 0.0
    test_rate: float = 0.0
    description: str = ""
    incremental: bool = False
    batch_size: int = 1000
    on_delivery: DeliveryListener = field(default=_say_nothing)

    def run(self) -> Announcement:
        """
        Send everything, and announce it.

        Returns:
            What was announced.

        Raises:
            DataInvalid: The data set cannot be sent.

            Unavailable: The broker stayed away, and not every record was accepted.

            DeploymentInvalid: The broker refuses the records, or a topic is missing.
        """
        labelled = self._labelled()
        unlabelled = self._unlabelled(self.unlabelled) if self.unlabelled else None
        topics = [self.topic, *([self.unlabelled.topic] if self.unlabelled else [])]
        self.publisher.require(*topics)
        if self.unlabelled is None or unlabelled is None:
            if not self.incremental:
                return self._announce(self._publish(self.topic, labelled), None)
            announcement = self._announce(self.topic, None)
            self._publish(self.topic, labelled, announced=True)
            return announcement
        ranges = self._publish(self.topic, labelled)
        if not self.incremental:
            others = self._publish(self.unlabelled.topic, unlabelled)
            return self._announce(ranges, others)
        announcement = self._announce(ranges, self.unlabelled.topic)
        self._publish(self.unlabelled.topic, unlabelled, announced=True)
        return announcement

    def _labelled(self) -> Iterator[OutgoingRecords]:
        def encode(examples: ExampleBatch) -> OutgoingRecords:
            return OutgoingRecords(
                self.encoder.keys(examples.labels),
                self.encoder.values(examples.features),
            )

        return _begun(_encoded(self.source, self.batch_size, encode), self.source)

    def _unlabelled(self, wanted: Unlabelled) -> Iterator[OutgoingRecords]:
        ours = self.source.element_spec.features
        theirs = wanted.source.element_spec.features
        if ours != theirs:
            raise DataInvalid(
                f"{wanted.source.place(0)}: unlabelled examples are {theirs.dtype} of "
                f"shape {theirs.shape}, labelled ones {ours.dtype} of shape "
                f"{ours.shape}: they must be alike"
            )

        def encode(examples: ExampleBatch) -> OutgoingRecords:
            values = self.encoder.values(examples.features)
            keys = BinaryColumn.pack([NO_LABEL] * len(values))
            return OutgoingRecords(keys, values)

        batches = _encoded(wanted.source, self.batch_size, encode)
        return _begun(batches, wanted.source)

    def _publish(
        self, topic: str, batches: Iterator[OutgoingRecords], *, announced: bool = False
    ) -> tuple[OffsetRange, ...]:
        try:
            return self.publisher.publish(topic, batches, self.on_delivery)
        except ServiceError as error:
            said = "announced before, and incomplete" if announced else "not announced"
            raise type(error)(f"{error} ({said})") from error

    def _announce(self, stream: Stream, unlabelled: Stream | None) -> Announcement:
        announcement = Announcement(
            stream=stream,
            decoder=self.encoder.decoder,
            total_msg=None if isinstance(stream, str) else sum(map(len, stream)),
            validation_rate=self.validation_rate,
            test_rate=self.test_rate,
            description=self.description,
            unlabelled=unlabelled,
            incremental=self.incremental,
        )
        try:
            self.publisher.announce(self.deployment_id, announcement)
        except ServiceError as error:
            if isinstance(stream, str):
                raise
            sent = ", ".join(map(str, stream))
            raise type(error)(f"{error}; the records are there: {sent}") from error
        return announcement


def _encoded(
    source: ExampleSource,
    size: int,
    encode: Callable[[ExampleBatch], OutgoingRecords],
) -> Iterator[OutgoingRecords]:
    """Encode all examples, and give the name of its place to one that does not fit."""
    before = 0
    for examples in source.batches(size):
        try:
            yield encode(examples)
        except InvalidExample as error:
            place = source.place(before + error.index)
            raise DataInvalid(f"{place}: {error.reason}") from error
        before += len(examples)


def _begun(
    batches: Iterator[OutgoingRecords], source: ExampleSource
) -> Iterator[OutgoingRecords]:
    """Encode what comes first at once: most mistakes show before anything is sent."""
    first = next(batches, None)
    if first is None:
        raise DataInvalid(f"{source.place(0)}: there is no such example, nor any other")
    return chain([first], batches)
