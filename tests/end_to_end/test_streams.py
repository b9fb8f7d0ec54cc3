"""Streams that are not as simple as they were announced, through the whole job."""

from __future__ import annotations

import io
import json

import confluent_kafka
import fastavro
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import Backend, message, raw
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


@pytest.mark.kafka
def test_json(backend, sender, variables):
    """Values as nested arrays, labels as numbers."""
    features, labels = digits(40)
    ranges = sender.send(
        [
            (b"%d" % label[0], json.dumps(image.tolist()).encode())
            for image, label in zip(features, labels, strict=True)
        ]
    )
    sender.announce(
        message(
            ranges,
            40,
            validation_rate=0,
            test_rate=0,
            input_format="JSON",
            input_config={"data_type": "uint8"},
        )
    )

    job = run({**variables, "RESULT_URL": backend.url})

    history, tested, _ = train(
        model_file("digits"), (features, labels[:, 0]), batch=16, epochs=3
    )
    assert 0 == job.process.returncode
    assert_same_result(backend, history, tested)


@pytest.mark.kafka
def test_schema_registry(httpserver, sender, variables):
    """Records of two writers' schemas train as the announced schema has them."""
    values = load_breast_cancer().data[:40].astype(np.float32)
    labels = load_breast_cancer().target[:40]
    names = [f"f{number}" for number in range(30)]
    columns = [{"name": name, "type": "float"} for name in names]
    reader = {"type": "record", "name": "scan", "fields": columns}
    label = {
        "type": "record",
        "name": "label",
        "fields": [{"name": "benign", "type": "int"}],
    }
    older = {**reader, "fields": columns[::-1]}
    newer = {**reader, "fields": [{"name": "who", "type": "string"}, *columns]}
    schemas = {1: label, 2: older, 3: newer}
    for number, schema in schemas.items():
        httpserver.expect_request(f"/schemas/ids/{number}").respond_with_json(
            {"schema": json.dumps(schema)}
        )
    written = [
        (
            framed(1, label, {"benign": int(benign)}),
            framed(
                2 + index % 2,
                schemas[2 + index % 2],
                {"who": "me", **dict(zip(names, map(float, scan), strict=True))},
            ),
        )
        for index, (scan, benign) in enumerate(zip(values, labels, strict=True))
    ]
    backend = Backend(httpserver, model_file("binary").read_bytes())
    sender.announce(
        message(
            sender.send(written),
            40,
            validation_rate=0,
            test_rate=0,
            input_format="AVRO",
            input_config={
                "data_scheme": json.dumps(reader),
                "label_scheme": json.dumps(label),
            },
        )
    )

    job = run(
        {
            **variables,
            "RESULT_URL": backend.url,
            "SCHEMA_REGISTRY_URL": httpserver.url_for("/").rstrip("/"),
        }
    )

    history, _, _ = train(
        model_file("binary"), (values, labels), batch=16, epochs=3, metrics=["accuracy"]
    )
    assert 0 == job.process.returncode
    (result,) = backend.results
    assert history["loss"] == result["train_metrics"]["loss"]
    assert history["accuracy"] == result["train_metrics"]["accuracy"]


def framed(schema_id, schema, value):
    """Encode as the serialisers of a schema registry do."""
    stream = io.BytesIO()
    stream.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return stream.getvalue()
