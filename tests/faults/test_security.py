"""Whom the brokers let in, and what is said to the others."""

from __future__ import annotations

import base64
import gc
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing

import pytest
from confluent_kafka.admin import ResourceType
from pytest_httpserver import HTTPServer
from werkzeug import Response

from adapters.kafka import (
    KafkaControlSource,
    KafkaRejectedRecords,
    KafkaSettings,
    KafkaStreamSource,
    librdkafka_properties,
    publish,
)
from domain.errors import DeploymentInvalid, Unavailable
from domain.offsets import OffsetRange, RequestedRange
from tests.broker.apache_kafka import PASSWORD, USER, ApacheKafka
from tests.broker.topics import KafkaTopics, unique
from tests.builders import control_message
from tests.contracts.rejected_records import BATCH
from tests.contracts.stream_source import numbered, values
from tests.contracts.test_rejected_records import BAD

pytestmark = [pytest.mark.kafka, pytest.mark.real_kafka]

CANARY = "hunter2-canary"

Environ = dict[str, str]


def scram(apache: ApacheKafka) -> Environ:
    """Return the variables of a user who is let in."""
    return {
        "LIBRDKAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "LIBRDKAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "LIBRDKAFKA_SASL_USERNAME": USER,
        "LIBRDKAFKA_SASL_PASSWORD": PASSWORD,
        "LIBRDKAFKA_SSL_CA_LOCATION": str(apache.certificates.authority),
    }


def settings(
    servers: str, environ: Mapping[str, str], deadline: float = 30.0
) -> KafkaSettings:
    """Return the settings that the job would have."""
    return KafkaSettings(
        servers,
        "control",
        streamfit_broker_deadline=deadline,
        librdkafka=librdkafka_properties(environ),
    )


def resolve(wanted: KafkaSettings, topic: str) -> None:
    """Look for a range."""
    KafkaStreamSource(wanted).resolve([RequestedRange(topic, 0, 0, 1)])


def read(wanted: KafkaSettings, topic: str) -> None:
    """Read a range that was resolved before."""
    list(KafkaStreamSource(wanted).read([OffsetRange(topic, 0, 0, 1)]))


def listen(wanted: KafkaSettings, topic: str) -> None:
    """Wait for a control message."""
    source = KafkaControlSource(
        KafkaSettings(
            wanted.bootstrap_servers,
            topic,
            wanted.streamfit_broker_deadline,
            librdkafka=wanted.librdkafka,
        )
    )
    with closing(source.messages()) as messages:
        next(messages)


def divert(wanted: KafkaSettings, topic: str) -> None:
    """Put a bad record aside."""
    KafkaRejectedRecords(wanted, topic).divert(BATCH, BAD)


ACTS = [resolve, read, listen, divert]
Act = Callable[[KafkaSettings, str], None]


@pytest.fixture
def topic(apache: ApacheKafka) -> str:
    """Return a topic with a control message."""
    topic = unique("secured")
    KafkaTopics(apache.servers).produce(topic, (b"\x07", control_message()))
    return topic


@pytest.mark.parametrize("act", ACTS)
def test_scram(apache: ApacheKafka, topic: str, act: Act) -> None:
    """A user with the right password is served over TLS."""
    act(settings(apache.secured, scram(apache)), topic)


def test_publish(apache: ApacheKafka, topic: str) -> None:
    """The properties serve producers as well, each kind of client its own."""
    environ = scram(apache) | {
        "LIBRDKAFKA_LINGER_MS": "1",
        "LIBRDKAFKA_FETCH_MIN_BYTES": "2",
    }
    properties = librdkafka_properties(environ)

    written = publish(apache.secured, topic, numbered(2), properties=properties)
    batches = KafkaStreamSource(settings(apache.secured, environ)).read([written])

    assert [b"0", b"1"] == values(batches)


@pytest.mark.parametrize("mechanism", ["PLAIN", "OAUTHBEARER"])
def test_mechanisms(apache: ApacheKafka, topic: str, mechanism: str) -> None:
    """Other mechanisms work alike."""
    environ = scram(apache) | {"LIBRDKAFKA_SASL_MECHANISM": mechanism}
    if mechanism == "OAUTHBEARER":
        environ |= {
            "LIBRDKAFKA_ENABLE_SASL_OAUTHBEARER_UNSECURE_JWT": "true",
            "LIBRDKAFKA_SASL_OAUTHBEARER_CONFIG": f"principal={USER}",
        }

    for act in ACTS:
        act(settings(apache.secured, environ), topic)


def test_client_certificate(apache: ApacheKafka, topic: str) -> None:
    """A client may be known by its certificate alone."""
    certificates = apache.certificates
    environ = {
        "LIBRDKAFKA_SECURITY_PROTOCOL": "SSL",
        "LIBRDKAFKA_SSL_CA_LOCATION": str(certificates.authority),
        "LIBRDKAFKA_SSL_CERTIFICATE_LOCATION": str(certificates.client),
        "LIBRDKAFKA_SSL_KEY_PEM_FILE": str(certificates.client),
    }

    for act in ACTS:
        act(settings(apache.mutual, environ), topic)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"LIBRDKAFKA_SASL_PASSWORD": CANARY}, "invalid credentials"),
        ({"LIBRDKAFKA_SASL_MECHANISM": "SCRAM-SHA-256"}, "SCRAM-SHA-512,PLAIN"),
        ({"LIBRDKAFKA_SSL_CA_LOCATION": "stranger"}, "certificate verify failed"),
    ],
    ids=["password", "mechanism", "authority"],
)
def test_not_let_in(
    apache: ApacheKafka,
    topic: str,
    caplog: pytest.LogCaptureFixture,
    act: Act,
    wrong: Environ,
    message: str,
) -> None:
    """Who is not let in need not come back, and hears why, without the secret."""
    caplog.set_level(logging.DEBUG)
    environ = scram(apache) | wrong
    if "stranger" in wrong.values():
        environ["LIBRDKAFKA_SSL_CA_LOCATION"] = str(apache.certificates.stranger)

    with pytest.raises(DeploymentInvalid, match=message) as refusal:
        act(settings(apache.secured, environ, deadline=300.0), topic)

    assert CANARY not in str(refusal.value) + caplog.text
    assert PASSWORD not in str(refusal.value) + caplog.text


@pytest.mark.parametrize("act", ACTS)
def test_other_host(apache: ApacheKafka, topic: str, act: Act) -> None:
    """A broker whose certificate names another host is not trusted."""
    servers = apache.secured.replace("127.0.0.1", "localhost")

    with pytest.raises(DeploymentInvalid, match="another host"):
        act(settings(servers, scram(apache)), topic)


@pytest.mark.parametrize("certificate", [None, "foreign_client"])
def test_client_certificate_refused(
    apache: ApacheKafka, topic: str, certificate: str | None
) -> None:
    """A client without a certificate that the broker trusts is refused for good."""
    environ = {
        "LIBRDKAFKA_SECURITY_PROTOCOL": "SSL",
        "LIBRDKAFKA_SSL_CA_LOCATION": str(apache.certificates.authority),
    }
    if certificate:
        path = str(getattr(apache.certificates, certificate))
        environ["LIBRDKAFKA_SSL_CERTIFICATE_LOCATION"] = path
        environ["LIBRDKAFKA_SSL_KEY_LOCATION"] = path

    for act in ACTS:
        with pytest.raises(DeploymentInvalid, match="alert"):
            act(settings(apache.mutual, environ), topic)


@pytest.mark.parametrize("act", ACTS)
def test_forbidden(apache: ApacheKafka, topic: str, act: Act) -> None:
    """Who is let in, but not to the topic, need not come back either."""
    topics = KafkaTopics(apache.servers)

    with (
        topics.forbidden(ResourceType.TOPIC, topic, f"User:{USER}"),
        pytest.raises(DeploymentInvalid, match=topic),
    ):
        act(settings(apache.secured, scram(apache)), topic)


class TestTokens:
    """OAUTHBEARER with tokens from an issuer, which librdkafka asks by itself."""

    @pytest.fixture
    def issuer(self) -> Iterator[HTTPServer]:
        """Run an issuer that no other test hears of."""
        with HTTPServer() as server:
            yield server
            gc.collect()  # clients that were denied ask again as long as they live

    @pytest.fixture
    def environ(self, apache: ApacheKafka, issuer: HTTPServer) -> Environ:
        return scram(apache) | {
            "LIBRDKAFKA_SASL_MECHANISM": "OAUTHBEARER",
            "LIBRDKAFKA_SASL_OAUTHBEARER_METHOD": "oidc",
            "LIBRDKAFKA_SASL_OAUTHBEARER_CLIENT_ID": "job",
            "LIBRDKAFKA_SASL_OAUTHBEARER_CLIENT_SECRET": CANARY,
            "LIBRDKAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL": issuer.url_for("/t"),
        }

    def test_issued(
        self, apache: ApacheKafka, topic: str, environ: Environ, issuer: HTTPServer
    ) -> None:
        """Whom the issuer gives a token is let in."""
        issuer.expect_request("/t").respond_with_json({"access_token": token()})

        for act in ACTS:
            act(settings(apache.secured, environ), topic)

    def test_denied(
        self, apache: ApacheKafka, topic: str, environ: Environ, issuer: HTTPServer
    ) -> None:
        """Whom the issuer denies one is not, and need not come back."""
        body = '{"error": "invalid_client", "error_description": "unknown"}'
        answer = Response(body, 401, content_type="application/json")
        issuer.expect_request("/t").respond_with_response(answer)

        for act in ACTS:
            with pytest.raises(DeploymentInvalid, match="token") as refusal:
                act(settings(apache.secured, environ, deadline=300.0), topic)
            assert CANARY not in str(refusal.value)

    def test_away(self, apache: ApacheKafka, topic: str, environ: Environ) -> None:
        """An issuer that stays away is as brokers that stay away."""
        environ["LIBRDKAFKA_SASL_OAUTHBEARER_TOKEN_ENDPOINT_URL"] = (
            "http://127.0.0.1:1/t"
        )

        for act in ACTS:
            with pytest.raises(Unavailable, match="token"):
                act(settings(apache.secured, environ, deadline=1.0), topic)


def token() -> str:
    """Return a token that nobody signed; the broker of the tests takes it."""
    now = int(time.time())
    parts = ({"alg": "none"}, {"sub": USER, "iat": now, "exp": now + 3600})
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in parts
    )
    return f"{head}.{body}."
