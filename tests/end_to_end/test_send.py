"""``streamfit send``: the installed command, a real broker, and the job that trains."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import confluent_kafka
import fastavro
import numpy as np
import pyarrow as pa
import pytest
from attrs import define
from pyarrow import parquet
from sklearn.datasets import load_breast_cancer, load_digits

import bootstrap
from bootstrap.client import send
from domain.offsets import OffsetRange
from tests.broker.apache_kafka import apache_kafka
from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.process import COMMAND, run
from tests.models import model_file

BREAST_CANCER = Path(bootstrap.__file__).parent / "demo/models/breast_cancer.h5"

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]


@define
class Target:
    """Topics of one broker that no other test uses."""

    servers: str
    topic: str
    other: str
    control: str

    @classmethod
    def create(cls, servers):
        target = cls(servers, unique("data"), unique("other"), unique("control"))
        topics = KafkaTopics(servers)
        topics.create(target.topic, partitions=2)
        topics.create(target.other)
        topics.create(target.control)
        return target

    def command(self, data, *options, deployment=7):
        return [
            *(COMMAND, "send", data, "--topic", self.topic),
            *("--deployment", str(deployment), "--control-topic", self.control),
            *("--bootstrap-servers", self.servers, *options),
        ]

    def send(self, data, *options, deployment=7):
        """Run the command to its end."""
        return subprocess.run(
            self.command(data, *options, deployment=deployment),
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def announced(self):
        """Return key and body of every control message."""
        found = KafkaTopics(self.servers).messages(self.control)
        return [(message.key(), json.loads(message.value())) for message in found]

    def read(self, text):
        """Read ranges by hand: (key, value, timestamp) of each record."""
        found = []
        for item in text.split(","):
            topic, *numbers = item.split(":")
            partition, start, end = map(int, numbers)
            reader = confluent_kafka.Consumer(
                {"bootstrap.servers": self.servers, "group.id": "tests"}
            )
            reader.assign([confluent_kafka.TopicPartition(topic, partition, start)])
            records = []
            while len(records) < end - start:
                records += reader.consume(end - start - len(records), 30)
                assert records, "nothing came for 30 seconds"
            reader.close()
            found += [(r.key(), r.value(), r.timestamp()[1]) for r in records]
        return found


@pytest.fixture
def target(kafka):
    return Target.create(kafka)


def trained(target, tmp_path, model, deployment=7, **variables):
    """Run the job on what was announced, without a back-end; returns its last word."""
    job = run(
        {
            "BOOTSTRAP_SERVERS": target.servers,
            "CONTROL_TOPIC": target.control,
            "DEPLOYMENT_ID": str(deployment),
            "RESULT_ID": "1",
            "BATCH": "16",
            "KWARGS_FIT": '{"epochs": 2}',
            "KWARGS_VAL": "{}",
            "CASE": "1",
            "STREAMFIT_BACKEND": "file",
            "STREAMFIT_MODEL_FILE": str(model),
            "STREAMFIT_RESULT_FOLDER": str(tmp_path / "result"),
            "STREAMFIT_TERMINATION_LOG": str(tmp_path / "termination"),
            "STREAMFIT_CONTROL_DEADLINE": "30",
            **variables,
        }
    )
    assert 0 == job.wait(), job.lines
    assert (tmp_path / "result" / "result.json").exists()
    return json.loads((tmp_path / "termination").read_text())


def digits(tmp_path, copies=1):
    """Write the digits as .npz; returns its path and the arrays."""
    images, labels = load_digits(return_X_y=True)
    features = np.tile(images.astype(np.uint8).reshape(-1, 8, 8), (copies, 1, 1))
    targets = np.tile(labels.astype(np.uint8), copies)
    np.savez(tmp_path / "digits.npz", x=features, y=targets)
    return tmp_path / "digits.npz", features, targets


def hashes(records):
    return sorted(hashlib.sha256(key + value).digest() for key, value, *_ in records)


def raw(features, labels):
    return [
        (label.tobytes(), example.tobytes())
        for example, label in zip(features, labels, strict=True)
    ]


class TestRound:
    """From a file to a trained model, without the platform."""

    def test_npz(self, target, tmp_path):
        """Digits as RAW, for a deployment above 255: all of them, and only once."""
        path, features, labels = digits(tmp_path)

        done = target.send(
            *(path, "--validation-rate", "0.1", "--test-rate", "0.2"),
            *("--description", "handwritten digits"),
            deployment=300,
        )

        assert 0 == done.returncode, done.stderr
        ((key, body),) = target.announced()
        assert b"\x01\x2c" == key
        assert {
            "topic": f"{target.topic}:0:0:899,{target.topic}:1:0:898",
            "unsupervised_topic": None,
            "input_format": "RAW",
            "description": "handwritten digits",
            "dataset_restrictions": {},
            "input_config": {
                "data_type": "uint8",
                "label_type": "uint8",
                "data_reshape": "8 8",
                "label_reshape": "1",
            },
            "validation_rate": 0.1,
            "test_rate": 0.2,
            "total_msg": 1797,
            "incremental": False,
        } == body
        assert body["topic"] in done.stdout
        assert "Delivered 1797 records, 116805 bytes" in done.stdout
        assert hashes(raw(features, labels)) == hashes(target.read(body["topic"]))

        word = trained(target, tmp_path, model_file("digits"), deployment=300)

        assert 1797 == word["rows"]

    def test_csv_as_avro(self, target, tmp_path):
        """A table as AVRO, by a schema that is made of it."""
        table = load_breast_cancer()
        columns = ",".join(f"c{n}" for n in range(30))
        rows = np.column_stack([table.data, table.target])
        lines = "\n".join(",".join(map(repr, map(float, row))) for row in rows)
        (tmp_path / "a.csv").write_text(f"{columns},label\n{lines}\n")
        options = ("--format", "avro", "--label-dtype", "bool", "--test-rate", "0.2")

        done = target.send(tmp_path / "a.csv", *options)

        assert 0 == done.returncode, done.stderr
        ((_, body),) = target.announced()
        assert "AVRO" == body["input_format"]
        schema = json.loads(body["input_config"]["data_scheme"])
        assert ["float"] * 30 == [each["type"] for each in schema["fields"]]
        expected = [
            (bool(label).to_bytes(), row.astype("<f4").tobytes())
            for row, label in zip(table.data, table.target, strict=True)
        ]
        assert hashes(expected) == hashes(target.read(body["topic"]))

        word = trained(target, tmp_path, BREAST_CANCER)

        assert 569 == word["rows"]

    @pytest.mark.parametrize("suffix", [".parquet", ".avro"])
    def test_other_files(self, target, tmp_path, suffix):
        """The same table in other files is the same records."""
        table = load_breast_cancer()
        path = tmp_path / f"a{suffix}"
        columns = {f"c{n}": table.data[:, n].astype("f4") for n in range(30)}
        columns["label"] = table.target.astype(bool)
        if suffix == ".parquet":
            parquet.write_table(pa.table(columns), path)
        else:
            fields = [{"name": f"c{n}", "type": "float"} for n in range(30)]
            fields.append({"name": "label", "type": "boolean"})
            schema = {"type": "record", "name": "r", "fields": fields}
            rows = [
                {name: column[row].item() for name, column in columns.items()}
                for row in range(len(table.target))
            ]
            with path.open("wb") as file:
                fastavro.writer(file, schema, rows)

        done = target.send(path, "--format", "avro")

        assert 0 == done.returncode, done.stderr
        ((_, body),) = target.announced()
        expected = [
            (bool(label).to_bytes(), row.astype("<f4").tobytes())
            for row, label in zip(table.data, table.target, strict=True)
        ]
        assert hashes(expected) == hashes(target.read(body["topic"]))

    def test_arrays(self, target, tmp_path):
        """From Python it is one call, labelled or not; it returns what it announced."""
        _, features, labels = digits(tmp_path)

        announcement = send(
            features[:1000],
            labels[:1000],
            topic=target.topic,
            deployment=7,
            bootstrap_servers=target.servers,
            control_topic=target.control,
            unlabelled=features[1000:1500],
            unlabelled_topic=target.other,
            validation_rate=0.25,
        )

        assert (
            OffsetRange(target.topic, 0, 0, 500),
            OffsetRange(target.topic, 1, 0, 500),
        ) == announcement.stream
        assert (OffsetRange(target.other, 0, 0, 500),) == announcement.unlabelled
        ((key, body),) = target.announced()
        assert (b"\x07", 1000) == (key, body["total_msg"])
        assert f"{target.other}:0:0:500" == body["unsupervised_topic"]
        others = target.read(body["unsupervised_topic"])
        assert {b"\x00"} == {key for key, *_ in others}
        assert [each.tobytes() for each in features[1000:1500]] == [
            value for _, value, _ in others
        ]

        word = trained(
            target,
            tmp_path,
            model_file("digits"),
            UNSUPERVISED="True",
            UNSUPERVISED_ROUNDS="1",
            CONFIDENCE="0.5",
        )

        assert 1000 == word["rows"]

    def test_incremental(self, target, tmp_path):
        """It is announced before the first record, and the job trains on them all."""
        path, *_ = digits(tmp_path)

        done = target.send(path, "--incremental", "--validation-rate", "0.1")

        assert 0 == done.returncode, done.stderr
        (message,) = KafkaTopics(target.servers).messages(target.control)
        body = json.loads(message.value())
        assert (target.topic, None, True) == (
            body["topic"],
            body["total_msg"],
            body["incremental"],
        )
        first = target.read(f"{target.topic}:0:0:1,{target.topic}:1:0:1")
        assert message.timestamp()[1] <= min(sent for *_, sent in first)

        word = trained(
            target,
            tmp_path,
            model_file("digits"),
            CASE="2",
            STREAM_TIMEOUT="3000",
            STREAMFIT_MINI_BATCH_SECONDS="1",
        )

        assert 1797 == word["rows"]


def test_page(target):
    """The page's own program sends what it says, and what is announced is there."""
    page = Path(__file__).parents[2].joinpath("docs", "sending.md").read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for theirs, ours in (
        ('"localhost:9092"', repr(target.servers)),
        ('topic="digits"', f"topic={target.topic!r}, control_topic={target.control!r}"),
    ):
        assert 1 == program.count(theirs)
        program = program.replace(theirs, ours)

    names = {}
    exec(compile(program, "sending.md", "exec"), names)

    ((key, body),) = target.announced()
    assert (b"\x01", 0.1) == (key, body["validation_rate"])
    records = target.read(body["topic"])
    assert 300 == body["total_msg"] == len(records)
    assert {28 * 28} == {len(value) for _, value, _ in records}


class TestOthers:
    def test_interleaved(self, target, tmp_path):
        """Another writer's records in between are not announced."""
        path, features, labels = digits(tmp_path, copies=60)
        done = threading.Event()
        foreign = threading.Thread(target=write_on, args=(target, done))
        foreign.start()
        try:
            sent = target.send(path)
        finally:
            done.set()
            foreign.join(60)

        assert 0 == sent.returncode, sent.stderr
        ((_, body),) = target.announced()
        ranges = body["topic"].split(",")
        assert 2 < len(ranges)
        assert len(labels) == body["total_msg"]
        assert hashes(raw(features, labels)) == hashes(target.read(body["topic"]))

    def test_twice(self, target, tmp_path):
        """What is sent again is announced behind what was sent before."""
        path, *_ = digits(tmp_path)

        for _ in range(2):
            assert 0 == target.send(path).returncode

        topic = target.topic
        assert [
            f"{topic}:0:0:899,{topic}:1:0:898",
            f"{topic}:0:899:1798,{topic}:1:898:1796",
        ] == [body["topic"] for _, body in target.announced()]


def write_on(target, done):
    """Write foreign records to both partitions until *done*."""
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": target.servers, "linger.ms": 0}
    )
    while not done.is_set():
        for partition in range(2):
            producer.produce(target.topic, b"foreign", b"foreign", partition)
        producer.flush(60)


class TestFaults:
    def test_broken_data(self, target, tmp_path):
        """A row that is wrong is named; what was sent before it is not announced."""
        rows = "".join(f"{n},0\n" for n in range(300_000))
        (tmp_path / "a.csv").write_text(f"a,label\n{rows}oops,1\n")

        done = target.send(tmp_path / "a.csv")

        assert 65 == done.returncode
        assert f"streamfit send: {tmp_path}/a.csv: line 300002: " in done.stderr
        assert "(not announced)" in done.stderr
        assert [] == target.announced()

    def test_missing_topic(self, target, tmp_path):
        """A topic that is not there is named before anything is sent."""
        path, *_ = digits(tmp_path)
        target.topic = unique("missing")

        done = target.send(path)

        assert 78 == done.returncode
        assert f"streamfit send: {target.topic}: no such topic" in done.stderr
        assert [] == target.announced()

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
    )
    def test_stopped(self, target, tmp_path, number, code):
        """Ctrl-C and SIGTERM end it without an announcement."""
        path, *_ = digits(tmp_path, copies=400)

        with started(target, path) as process:
            wait_for_records(target)
            process.send_signal(number)
            _, said = process.communicate(timeout=60)

        assert code == process.returncode, said
        assert "streamfit send: stopped before everything was sent" in said
        assert [] == target.announced()

    def test_broker_killed(self, tmp_path):
        """A broker that dies in the middle: no announcement, and what had arrived."""
        path, *_ = digits(tmp_path, copies=400)
        with apache_kafka() as mortal:
            target = Target.create(mortal.servers)
            with started(target, path, "--deadline", "3") as process:
                wait_for_records(target)
                mortal.kill()
                _, said = process.communicate(timeout=120)
            mortal.start()

            assert 75 == process.returncode, said
            (count,) = re.findall(
                rf"^streamfit send: {target.topic}: (\d+) records were delivered, and "
                rf"then no more: {mortal.servers}: away for .*\(not announced\)$",
                said,
                re.MULTILINE,
            )
            assert 0 < int(count) < 400 * 1797
            assert [] == target.announced()

    def test_broker_back(self, tmp_path):
        """A broker that is soon back costs nothing: every record is there, and once."""
        path, features, labels = digits(tmp_path, copies=400)
        with apache_kafka() as mortal:
            target = Target.create(mortal.servers)
            with started(target, path) as process:
                wait_for_records(target)
                mortal.kill()
                time.sleep(2)
                mortal.start()
                _, said = process.communicate(timeout=200)

            assert 0 == process.returncode, said
            ((_, body),) = target.announced()
            assert len(labels) == body["total_msg"]
            assert hashes(raw(features, labels)) == hashes(target.read(body["topic"]))


class started:  # noqa: N801  # reads as a verb
    """The command as a running process, which does not outlive the test."""

    def __init__(self, target, path, *options):
        self._command = target.command(path, *options)

    def __enter__(self):
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        return self._process

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()


def wait_for_records(target):
    """Wait until the first of them are there."""
    reader = confluent_kafka.Consumer(
        {"bootstrap.servers": target.servers, "group.id": "tests"}
    )
    reader.assign([confluent_kafka.TopicPartition(target.topic, 0, 0)])
    try:
        assert reader.consume(1, 60)
    finally:
        reader.close()
