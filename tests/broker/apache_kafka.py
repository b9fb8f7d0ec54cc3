"""A real Apache Kafka: one node on the loopback interface, in a process of its own."""

from __future__ import annotations

import base64
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field
from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.broker import jars
from tests.broker.certificates import Certificates

DEADLINE = 60.0
"""Seconds until a broker must have started."""

USER = "reader"
PASSWORD = "correct-horse-battery-staple"
"""Of the one user that the secured listener knows."""

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
listeners=PLAINTEXT://127.0.0.1:{plain},SECURED://127.0.0.1:{secured},\
MUTUAL://127.0.0.1:{mutual},BEHIND://127.0.0.1:{behind},CONTROLLER://127.0.0.1:{control}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SECURED://127.0.0.1:{secured},\
MUTUAL://127.0.0.1:{mutual},BEHIND://127.0.0.1:{proxy}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SECURED:SASL_SSL,MUTUAL:SSL,\
BEHIND:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{control}
log.dirs={folder}/data
auto.create.topics.enable=false
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
message.max.bytes=67108864
# A broker that was killed is let in again soon.
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
# Compaction is not waited for longer than need be.
log.cleaner.backoff.ms=100
# Everything is allowed until a test forbids something.
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
ssl.keystore.type=PEM
ssl.keystore.location={broker_certificate}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN,OAUTHBEARER
listener.name.secured.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secured.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{user}="{password}";
# Tokens are not signed here.
listener.name.secured.oauthbearer.sasl.jaas.config=\
org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
unsecuredLoginStringClaim_sub="broker";
"""


@define
class ApacheKafka:
    """
    One broker.

    Attributes:
        servers: Its address, as ``host:port``.

        secured: The address at which it wants TLS and SASL.

        mutual: The address at which it wants TLS and the client's certificate.

        behind: The address at which it is told apart from itself: clients that ask
            there are sent on to the proxy.

        proxy: The port at which a proxy is expected.

        data: Where it keeps its logs.

        certificates: Its own, and those of clients.
    """

    servers: str
    secured: str
    mutual: str
    behind: str
    proxy: int
    data: Path
    certificates: Certificates
    _command: list[str]
    _log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it, and wait until it serves; what it knew it still knows."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it; it ends with the thread that starts it."""
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-c", GUARD, *self._command],
                stdout=output,
                stderr=output,
            )

    def wait(self) -> None:
        """Wait until it serves."""
        assert self._process is not None
        client = AdminClient({"bootstrap.servers": self.servers, "log_level": 0})
        give_up_at = time.monotonic() + DEADLINE
        while self._process.poll() is None and time.monotonic() < give_up_at:
            try:
                if client.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                continue
        raise RuntimeError(f"no Apache Kafka: {self._log.read_text()[-2000:]}")

    def kill(self) -> None:
        """End it at once, as a power failure does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Keep it from running, while entered; its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


@contextmanager
def apache_kafka(port: int | None = None) -> Iterator[ApacheKafka]:
    """
    Run a broker, which is ready to be used; what it kept is thrown away.

    Args:
        port: Where it is to listen; without one, it takes one that is free.
    """
    with tempfile.TemporaryDirectory(prefix="kafka-") as name:
        folder = Path(name)
        names = ("plain", "secured", "mutual", "behind", "proxy", "control")
        ports = dict(zip(names, _free_ports(len(names)), strict=True))
        ports["plain"] = port or ports["plain"]
        certificates = Certificates.make(folder)
        (folder / "server.properties").write_text(
            PROPERTIES.format(
                **ports,
                folder=folder,
                broker_certificate=certificates.broker,
                authority=certificates.authority,
                user=USER,
                password=PASSWORD,
            )
        )
        broker = ApacheKafka(
            *(f"127.0.0.1:{ports[name]}" for name in names[:4]),
            proxy=ports["proxy"],
            data=folder / "data",
            certificates=certificates,
            command=[*_java(), "kafka.Kafka", str(folder / "server.properties")],
            log=folder / "log",
        )
        _format(folder)
        try:
            broker.start()
            _add_user(broker.servers)
            yield broker
        finally:
            broker.kill()


def _java() -> list[str]:
    return [
        *("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        *("-cp", f"{jars.fetch()}/*"),
    ]


def _format(folder: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    properties = str(folder / "server.properties")
    named = f"--cluster-id={cluster}"  # in one word: it may begin with a hyphen
    storage = ("kafka.tools.StorageTool", "format", named, "-c", properties)
    done = subprocess.run(
        [*_java(), *storage], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"no Apache Kafka: {done.stdout}{done.stderr}")


def _add_user(servers: str) -> None:
    """Make the user of the secured listener."""
    how = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    user = UserScramCredentialUpsertion(USER, how, PASSWORD.encode())
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    (made,) = admin.alter_user_scram_credentials([user]).values()
    made.result(30)


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
