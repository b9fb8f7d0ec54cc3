"""Which brokers, and how long to wait for them."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen
from attrs.validators import ge, gt, matches_re, min_len, optional


@frozen
class KafkaSettings:
    """
    What the platform says about Kafka.

    Attributes:
        bootstrap_servers: Brokers to ask first, as ``host:port``, separated by commas.

        control_topic: Where control messages are announced.

        streamfit_broker_deadline: Seconds that the brokers may be away before the job
            gives up.

        streamfit_stream_deadline: Seconds that records which a control message names
            are waited for, if they are not written yet.

        streamfit_control_deadline: Seconds that the control message may take to come;
            None to wait for ever.

        librdkafka: The client library's own properties, secrets among them; see
            `librdkafka_properties`.
    """

    bootstrap_servers: str = field(validator=min_len(1))
    control_topic: str = field(validator=matches_re(r"[A-Za-z0-9._-]{1,249}"))
    streamfit_broker_deadline: float = field(default=300.0, validator=ge(0))
    streamfit_stream_deadline: float = field(default=60.0, validator=ge(0))
    streamfit_control_deadline: float | None = field(
        default=None, validator=optional(gt(0))
    )
    librdkafka: Mapping[str, str] = field(factory=dict, repr=False)
