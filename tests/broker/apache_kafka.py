"""A real Apache Kafka: one node on the loopback interface, in a process of its own."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.broker import jars

DEADLINE = 60.0
"""Seconds until a broker must have started."""

GUARD = """
import ctypes, os, sys
PR_SET_PDEATHSIG, SIGKILL = 1, 9
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""Has Linux end the command that follows as soon as the tests end, killed or not."""

PROPERTIES = """
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller}
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
message.max.bytes=67108864
# Everything is allowed until a test forbids something.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
"""


@contextmanager
def apache_kafka() -> Iterator[str]:
    """Run a broker; its address, as ``host:port``, is ready to be used."""
    classpath = f"{jars.fetch()}/*"
    with tempfile.TemporaryDirectory(prefix="kafka-") as folder:
        properties = Path(folder, "server.properties")
        broker, controller = _free_ports(2)
        properties.write_text(
            PROPERTIES.format(broker=broker, controller=controller, folder=folder)
        )
        log = Path(folder, "log")
        with log.open("wb") as output:
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            storage = ("kafka.tools.StorageTool", "format", "-t", cluster, "-c")
            subprocess.run(
                [*_java(classpath), *storage, str(properties)],
                check=True,
                stdout=output,
                stderr=output,
            )
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    GUARD,
                    *_java(classpath),
                    "kafka.Kafka",
                    str(properties),
                ],
                stdout=output,
                stderr=output,
            )
        try:
            _wait(f"127.0.0.1:{broker}", process, log)
            yield f"127.0.0.1:{broker}"
        finally:
            process.kill()  # its data are thrown away anyhow
            process.wait()


def _java(classpath: str) -> list[str]:
    return [
        *("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        *("-cp", classpath),
    ]


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    give_up_at = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            if client.list_topics(timeout=1).brokers:
                return
        except KafkaException:
            continue
    raise RuntimeError(f"Apache Kafka did not start: {log.read_text()[-2000:]}")
