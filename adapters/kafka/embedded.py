"""A Kafka that lives inside this process, for demonstrations and tests."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from attrs import define, field
from confluent_kafka import Producer


@define
class EmbeddedKafka:
    """
    librdkafka's mock cluster: one broker on the loopback interface, while entered.

    It takes produced records, serves them by offset, and makes a topic of four
    partitions when one is first produced to.  It keeps about 5 MiB of each partition,
    deletes what is older, and knows neither transactions nor access rules.  Asked for
    the first record of a time, it says that there is none.
    """

    _cluster: Producer | None = field(default=None, init=False)

    def __enter__(self) -> Self:
        """Start it."""
        # The mock cluster belongs to the client that asked for it.
        self._cluster = Producer(
            {"bootstrap.servers": "ignored", "test.mock.num.brokers": 1, "log_level": 0}
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it; the records are gone."""
        self._cluster = None

    @property
    def bootstrap_servers(self) -> str:
        """Its address, as ``host:port``."""
        if self._cluster is None:
            raise RuntimeError("not entered")
        (broker,) = self._cluster.list_topics(timeout=10).brokers.values()
        return f"{broker.host}:{broker.port}"
