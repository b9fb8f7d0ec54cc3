"""Which adapters stand behind the sender's ports."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

import numpy as np
from attrs import field, frozen
from attrs.validators import optional

from adapters.avro import AvroEncoder
from adapters.kafka import KafkaPublisher, KafkaSettings
from adapters.raw_encoder import RawEncoder
from domain.batches import ElementSpec
from domain.request import DeploymentId
from domain.send_dataset import SendDataset, Unlabelled
from domain.sending import DeliveryListener
from ports import Encoder, ExampleSource

BATCH_BYTES = 4 * 2**20
BATCH_ROWS = 10_000
"""What is read and encoded in one go, at most."""

Format = Literal["RAW", "AVRO"]


def _is_topic(_: object, __: object, name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name):
        raise ValueError(f"{name!r:.80} is no name of a topic")


def _is_rate(_: object, __: object, rate: float) -> None:
    if not 0 <= rate <= 1:
        raise ValueError(f"a rate is from 0 to 1, {rate} is not")


def _is_deployment(_: object, __: object, number: int) -> None:
    if number < 0:
        raise ValueError(f"a deployment's number is not negative, {number} is")


@frozen
class Sending:
    """
    What is to be sent where.

    Attributes:
        topic: Where the labelled records go.

        deployment: The deployment's number.

        control_topic: Where they are announced.

        bootstrap_servers: Brokers to ask first, as ``host:port``, separated by commas.

        deadline: Seconds that the brokers may be away.

        properties: Of librdkafka.

        unlabelled_topic: Where records without labels go.

        data_scheme: With AVRO, the schema of the features; made if there is none.

        label_scheme: With AVRO, the schema of the label.
    """

    topic: str = field(validator=_is_topic)
    deployment: int = field(validator=_is_deployment)
    bootstrap_servers: str
    control_topic: str = field(validator=_is_topic)
    deadline: float = 60.0
    properties: Mapping[str, str] = field(factory=dict, repr=False)
    format: Format = "RAW"
    data_scheme: str | None = None
    label_scheme: str | None = None
    unlabelled_topic: str | None = field(default=None, validator=optional(_is_topic))
    validation_rate: float = field(default=0.0, validator=_is_rate)
    test_rate: float = field(default=0.0, validator=_is_rate)
    description: str = ""
    incremental: bool = False

    def __attrs_post_init__(self) -> None:
        if self.validation_rate + self.test_rate > 1:
            raise ValueError("validation rate and test rate are more than 1 together")
        if self.unlabelled_topic == self.topic:
            raise ValueError(f"{self.topic}: unlabelled records need another topic")
        if self.format == "RAW" and (self.data_scheme or self.label_scheme):
            raise ValueError("schemas are for AVRO, the format is RAW")

    def sender(
        self,
        source: ExampleSource,
        unlabelled: ExampleSource | None,
        on_delivery: DeliveryListener,
    ) -> SendDataset:
        """
        Return what sends it.

        Raises:
            DataInvalid: It cannot be encoded.
        """
        spec = source.element_spec
        return SendDataset(
            source=source,
            encoder=self._encoder(spec),
            publisher=KafkaPublisher(
                KafkaSettings(
                    self.bootstrap_servers,
                    self.control_topic,
                    streamfit_broker_deadline=self.deadline,
                    librdkafka=self.properties,
                )
            ),
            topic=self.topic,
            deployment_id=DeploymentId(self.deployment),
            unlabelled=(
                Unlabelled(unlabelled, self.unlabelled_topic)
                if unlabelled is not None and self.unlabelled_topic is not None
                else None
            ),
            validation_rate=self.validation_rate,
            test_rate=self.test_rate,
            description=self.description,
            incremental=self.incremental,
            batch_size=_batch_size(spec),
            on_delivery=on_delivery,
        )

    def _encoder(self, spec: ElementSpec) -> Encoder:
        if self.format == "RAW":
            return RawEncoder.for_examples(spec)
        return AvroEncoder.for_examples(spec, self.data_scheme, self.label_scheme)


def _batch_size(spec: ElementSpec) -> int:
    width = np.dtype(spec.features.dtype).itemsize * math.prod(spec.features.shape)
    return max(1, min(BATCH_ROWS, BATCH_BYTES // max(1, width)))
