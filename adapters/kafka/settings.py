"""Which brokers, and how long to wait for them."""

from __future__ import annotations

from attrs import frozen


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
    """

    bootstrap_servers: str
    control_topic: str
    streamfit_broker_deadline: float = 300.0
    streamfit_stream_deadline: float = 60.0
