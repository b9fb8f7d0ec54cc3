"""Streams that are not as simple as they were announced, through the whole job."""

from __future__ import annotations

import confluent_kafka
import pytest

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run
from tests.end_to_end.reference import train
from tests.end_to_end.test_current import (
    RAW_DIGITS,
    assert_same_result,
    digits,
    part,
)
from tests.models import model_file


@pytest.mark.kafka
def test_from_disk(backend, sender, variables, tmp_path):
    """A stream that is kept on disk trains to the same numbers."""
    arrays = digits(100)
    ranges = sender.send(raw(*arrays))
    sender.announce(message(ranges, 100, test_rate=0, input_config=RAW_DIGITS))

    job = run(
        {
            **variables,
            "RESULT_URL": backend.url,
            "STREAMFIT_SPOOL_MEMORY": "0",
            "STREAMFIT_SPOOL_DIR": str(tmp_path),
        }
    )

    history, tested, _ = train(
        model_file("digits"),
        part(arrays, 0, 90),
        validation=part(arrays, 90, 100),
        batch=16,
        epochs=3,
    )
    assert 0 == job.process.returncode
    assert str(tmp_path) == job.wait_for("examples are kept")["where"]
    assert_same_result(backend, history, tested)
    assert not list(tmp_path.iterdir())


@pytest.mark.real_kafka
def test_transaction_marker(backend, sender, variables):
    """An offset without a record shortens the last part; nothing is trained twice."""
    arrays = digits(50)
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": sender.servers, "transactional.id": unique("sink")}
    )
    producer.init_transactions()
    producer.begin_transaction()
    for key, value in raw(*arrays):
        producer.produce(sender.topic, value, key, partition=0)
    producer.commit_transaction()
    sender.announce(
        message(
            f"{sender.topic}:0:0:51",
            51,
            validation_rate=0.2,
            test_rate=0,
            input_config=RAW_DIGITS,
        )
    )

    job = run({**variables, "RESULT_URL": backend.url})

    history, tested, _ = train(  # int(0.8 * 51) is 40
        model_file("digits"),
        part(arrays, 0, 40),
        validation=part(arrays, 40, 50),
        batch=16,
        epochs=3,
    )
    assert 0 == job.process.returncode
    assert_same_result(backend, history, tested)
    assert 50 == job.wait_for("not as many examples as announced")["examples"]


@pytest.mark.kafka
def test_dead_letters(kafka, backend, sender, variables):
    """Bad records go to their topic with their origin; the others are trained on."""
    arrays = digits(40)
    good = raw(*arrays)
    ranges = sender.send([*good[:20], (b"\x01", b"too short"), *good[20:]])
    sender.announce(
        message(ranges, 41, validation_rate=0, test_rate=0, input_config=RAW_DIGITS)
    )
    letters = unique("letters")
    KafkaTopics(kafka).create(letters)

    job = run(
        {
            **variables,
            "RESULT_URL": backend.url,
            "STREAMFIT_BAD_RECORDS": f"dead-letter:{letters}",
        }
    )

    history, tested, _ = train(model_file("digits"), arrays, batch=16, epochs=3)
    assert 0 == job.process.returncode
    assert_same_result(backend, history, tested)
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": kafka, "group.id": unique("reader")}
    )
    consumer.assign([confluent_kafka.TopicPartition(letters, 0, 0)])
    letter = consumer.poll(30)
    consumer.close()
    assert (b"\x01", b"too short") == (letter.key(), letter.value())
    headers = dict(letter.headers())
    assert sender.topic.encode() == headers["streamfit.topic"]
    assert b"20" == headers["streamfit.offset"]
    assert b"size" == headers["streamfit.fault"]
