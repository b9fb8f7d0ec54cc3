"""How long brokers may be away; faults made for real are in tests/faults."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import KafkaError

from adapters.kafka.brokers import Brokers
from domain.errors import Unavailable


@pytest.mark.parametrize(
    ("code", "told"),
    [(KafkaError._TRANSPORT, ["brokers do not answer"]), (KafkaError._DESTROY, [])],
)
def test_told(caplog, code, told):
    """That brokers are away is told once; that we hang up ourselves is no news."""
    brokers = Brokers("kafka:9092", 60)

    with caplog.at_level(logging.INFO):
        for _ in range(3):
            brokers.missed(KafkaError(code))

    assert told == [record.message for record in caplog.records]


def test_deadline():
    """Whatever the reason, the clock runs until they answer."""
    brokers = Brokers("kafka:9092", 0)

    brokers.missed(KafkaError(KafkaError._DESTROY))
    with pytest.raises(Unavailable, match="kafka:9092: away for 0 seconds"):
        brokers.require()

    brokers.heard()
    brokers.require()
