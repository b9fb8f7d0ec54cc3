"""
The sender for Python programs.

::

    from bootstrap.client import send

    send(
        features, labels, topic="data", deployment=1, bootstrap_servers="kafka:9092"
    )
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy.typing as npt

from adapters.datasets import ArraySource
from bootstrap.sending.wiring import Format, Sending
from domain.sending import Announcement, DeliveryListener

CONTROL_TOPIC = "KAFKA_ML_CONTROL_TOPIC"
"""The platform's own."""


def send(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    *,
    topic: str,
    deployment: int,
    bootstrap_servers: str,
    control_topic: str = CONTROL_TOPIC,
    format: Format = "RAW",  # noqa: A002  # the platform's word
    data_scheme: str | None = None,
    label_scheme: str | None = None,
    unlabelled: npt.ArrayLike | None = None,
    unlabelled_topic: str | None = None,
    validation_rate: float = 0.0,
    test_rate: float = 0.0,
    description: str = "",
    incremental: bool = False,
    deadline: float = 60.0,
    properties: Mapping[str, str] | None = None,
    on_delivery: DeliveryListener | None = None,
) -> Announcement:
    """
    Send arrays to a topic, and announce them to a deployment.

    It returns once every record and the control message are safe.

    Args:
        features: Anything that NumPy takes for numbers; one example after the other
            along the first axis.

        labels: As many.

        topic: Where they go.

        deployment: The deployment's number.

        bootstrap_servers: Brokers to ask first, as ``host:port``, separated by commas.

        control_topic: Where they are announced.

        format: ``RAW``, which keeps shapes; ``AVRO``, a field for each number.

        data_scheme: With AVRO, the schema of the features; made if there is none.

        label_scheme: With AVRO, the schema of the label.

        unlabelled: Features of examples without labels.

        unlabelled_topic: Where those go: another topic.

        validation_rate: Share of the labelled records for validation, 0 to 1.

        test_rate: Share of the labelled records for the test, 0 to 1.

        description: For people.

        incremental: Whether the deployment trains on records as they come.

        deadline: Seconds that the brokers may be away.

        properties: Of librdkafka, for example ``{"security.protocol": "SSL"}``.

        on_delivery: Is told how far it has got.

    Returns:
        What was announced.

    Raises:
        DataInvalid: The arrays cannot be sent.

        Unavailable: The brokers stayed away; nothing is announced.

        DeploymentInvalid: The brokers refuse the records, or a topic is missing.
    """
    if (unlabelled is None) != (unlabelled_topic is None):
        raise ValueError("unlabelled and unlabelled_topic belong together")
    sending = Sending(
        topic=topic,
        deployment=deployment,
        bootstrap_servers=bootstrap_servers,
        control_topic=control_topic,
        deadline=deadline,
        properties=properties or {},
        format=format,
        data_scheme=data_scheme,
        label_scheme=label_scheme,
        unlabelled_topic=unlabelled_topic,
        validation_rate=validation_rate,
        test_rate=test_rate,
        description=description,
        incremental=incremental,
    )
    others = (
        None
        if unlabelled is None
        else ArraySource.of(unlabelled, None, names=("unlabelled", ""))
    )
    source = ArraySource.of(features, labels)
    return sending.sender(source, others, on_delivery or (lambda _: None)).run()
