"""The quick start: what the page says, typed into a shell, with a real broker."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import pytest
from confluent_kafka.admin import AdminClient

from tests.broker.topics import KafkaTopics, unique

ROOT = Path(__file__).parents[2]
PAGE = ROOT.joinpath("docs", "quick-start.md").read_text()
MAKEFILE = ROOT.joinpath("Makefile").read_text()
LIMIT = 240  # seconds; the job takes a tenth of it

PROMISED = {
    "trained_model.h5",
    "result.json",
    "learning_curves.png",
    "confusion_matrix.png",
}

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]


def typed(**others):
    """Return what the page has one type, with *others* in place of its names."""
    script = "".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    for name, ours in {
        "BOOTSTRAP_SERVERS=localhost:9092": f"BOOTSTRAP_SERVERS={others['servers']}",
        "CONTROL_TOPIC=control": f"CONTROL_TOPIC={others['control']}",
        "--topic digits": f"--topic {others['digits']}",
    }.items():
        assert 1 == script.count(name)
        script = script.replace(name, ours)
    return script


def weights(path):
    """Return all numbers in a model file."""
    found = []
    with h5py.File(path) as file:
        file["model_weights"].visititems(
            lambda _, each: (
                found.append(np.ravel(each)) if isinstance(each, h5py.Dataset) else None
            )
        )
    return np.concatenate(found)


def test_five_commands(kafka, tmp_path):
    """From nothing to a trained model and its report; every command succeeds."""
    topics = {name: unique(name) for name in ("digits", "control")}
    for topic in topics.values():
        KafkaTopics(kafka).create(topic)
    folder = tmp_path / "build" / "first"
    folder.mkdir(parents=True)
    (tmp_path / "bootstrap").symlink_to(ROOT / "bootstrap")

    done = subprocess.run(
        ["bash", "-e", "-c", typed(servers=kafka, **topics)],
        cwd=folder,
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": os.environ["HOME"],
        },
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    sent, looked, shown = (
        done.stdout.partition("settings  ")[0],
        re.findall(r"^\d+ faults, .*$", done.stdout, re.MULTILINE),
        done.stdout.partition("Deployment 1: ")[2],
    )
    assert "Delivered 1797 records" in sent
    assert ["0 faults, 0 warnings: exit code 0"] == looked
    assert shown.startswith("delivered\n")
    assert (
        "training 1,257 (69.9 %), validation 181 (10.1 %), test 359 (20.0 %)" in shown
    )
    assert PROMISED <= {path.name for path in (folder / "result").iterdir()}
    told = json.loads((folder / "result" / "result.json").read_text())
    assert 5 == len(told["train_metrics"]["loss"])
    untrained = weights(ROOT / "bootstrap/demo/models/digits.h5")
    trained = weights(folder / "result/trained_model.h5")
    assert untrained.shape == trained.shape
    assert not np.array_equal(untrained, trained)
    (report,) = (folder / "reports").glob("*.json")
    assert report.with_suffix(".html").is_file()


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_broker_to_try_things_with(end):
    """`make kafka` runs one where it is told to, with topics, until it is ended."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kafka = subprocess.Popen(
        [sys.executable, "-m", "tests.broker", "--port", str(port), "some", "other"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = list(islice(kafka.stdout, 3))
        topics = set(topics_at(port))
        kafka.send_signal(end)
        code = kafka.wait(60)
    finally:
        kafka.kill()
        kafka.wait()

    assert said[1] == f"Apache Kafka is at 127.0.0.1:{port}; topics: some, other.\n"
    assert {"some", "other"} <= topics
    assert 0 == code
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=10)


def topics_at(port):
    """Return the names of the topics of the broker at *port*."""
    client = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    return client.list_topics(timeout=30).topics


def test_topics():
    """The topics that the page has one make are those that it goes on to use."""
    made = re.findall(r"--create --topic (\w+)", PAGE)
    (ours,) = re.findall(r"^TOPICS \?= (.*)$", MAKEFILE, re.MULTILINE)

    assert ["digits", "control"] == made == ours.split()


def test_five():
    """There are as many commands as it promises, after the variables."""
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

    assert 5 == len(blocks[1:])
    assert all(line.startswith("export ") for line in blocks[0].strip().splitlines())
