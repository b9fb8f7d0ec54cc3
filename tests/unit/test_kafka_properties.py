"""librdkafka's properties come from the environment, checked and kept secret."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import confluent_kafka.cimpl
import pytest

from adapters.kafka.properties import OWNED, VARIABLES, librdkafka_properties
from adapters.kafka.property_names import CLIENT, CONSUMER, PRODUCER, SECRET
from adapters.kafka.settings import KafkaSettings
from domain.errors import SettingsInvalid

CANARY = "hunter2-canary"


def library_properties() -> dict[str, str]:
    """Ask the library itself for its properties, and whom each is for."""
    library, libc = ctypes.CDLL(confluent_kafka.cimpl.__file__), ctypes.CDLL(None)
    text, size = ctypes.c_char_p(), ctypes.c_size_t()
    libc.open_memstream.restype = ctypes.c_void_p
    stream = ctypes.c_void_p(
        libc.open_memstream(ctypes.byref(text), ctypes.byref(size))
    )
    library.rd_kafka_conf_properties_show(stream)
    libc.fclose(stream)
    assert text.value
    rows = re.findall(
        r"^([a-z._]+) +\| +([*CP]) +\|", text.value.decode(), re.MULTILINE
    )
    return dict(reversed(rows))  # those of a topic, which come last, are also others'


def test_names() -> None:
    """The names are those of the library, without what only C code can set."""
    found = library_properties()
    told = {
        **dict.fromkeys(CLIENT, "*"),
        **dict.fromkeys(CONSUMER, "C"),
        **dict.fromkeys(PRODUCER, "P"),
    }

    assert told == {name: found[name] for name in told}
    assert {
        *("builtin.features", "default_topic_conf", "enabled_events", "interceptors"),
        *("internal.termination.signal", "msg_order_cmp", "opaque"),
        *("ssl_ca", "ssl_certificate", "ssl_engine_callback_data", "ssl_key"),
    } == {name for name in found.keys() - told if not name.endswith("_cb")}
    assert OWNED.keys() | SECRET <= told.keys()
    assert len(told) == len(VARIABLES)


def test_none() -> None:
    """Other variables, and empty ones, set nothing."""
    environ = {"KAFKA_PORT": "tcp://1", "LIBRDKAFKA_SASL_PASSWORD": " ", "PATH": "x"}

    assert {} == librdkafka_properties(environ)


def test_properties(tmp_path: Path) -> None:
    """Dots are underscores; a secret may lie in a file, whose newline is not part."""
    secret = tmp_path / "password"
    secret.write_text(" two words \n\n")

    assert {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "me",
        "sasl.password": " two words \n",
        "log_level": "3",
    } == librdkafka_properties(
        {
            "LIBRDKAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "LIBRDKAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "LIBRDKAFKA_SASL_USERNAME": "me",
            "LIBRDKAFKA_SASL_PASSWORD_FILE": str(secret),
            "LIBRDKAFKA_LOG_LEVEL": "3",
        }
    )


def test_property_that_ends_like_a_file() -> None:
    """A property whose own name ends so is not read from a file."""
    variable = "LIBRDKAFKA_SASL_OAUTHBEARER_ASSERTION_PRIVATE_KEY_FILE"

    assert {
        "sasl.oauthbearer.assertion.private.key.file": "/nowhere"
    } == librdkafka_properties({variable: "/nowhere"})


def test_every_fault(tmp_path: Path) -> None:
    """All that is wrong is said at once, with the nearest name, and no secret."""
    secret = tmp_path / "password"
    secret.write_text(CANARY)
    empty = tmp_path / "empty"
    empty.write_text("\n")

    with pytest.raises(SettingsInvalid) as refusal:
        librdkafka_properties(
            {
                "LIBRDKAFKA_SASL_PASWORD": CANARY,
                "LIBRDKAFKA_GROUP_ID": "mine",
                "LIBRDKAFKA_ISOLATION_LEVEL": "read_uncommitted",
                "LIBRDKAFKA_SASL_PASSWORD": CANARY,
                "LIBRDKAFKA_SASL_PASSWORD_FILE": str(secret),
                "LIBRDKAFKA_SSL_KEY_PASSWORD_FILE": str(empty),
                "LIBRDKAFKA_SSL_KEY_PEM_FILE": str(tmp_path / "missing"),
                "LIBRDKAFKA_ZZZ": "1",
            }
        )

    assert (
        "LIBRDKAFKA_GROUP_ID: group.id must not be changed: no consumer group is "
        "joined; LIBRDKAFKA_ISOLATION_LEVEL: isolation.level must not be changed: "
        "streams are read exactly with our own value alone; "
        "LIBRDKAFKA_SASL_PASSWORD_FILE and LIBRDKAFKA_SASL_PASSWORD are both set; "
        "LIBRDKAFKA_SASL_PASWORD: librdkafka has no such property, did you mean "
        f"LIBRDKAFKA_SASL_PASSWORD?; LIBRDKAFKA_SSL_KEY_PASSWORD_FILE: {empty} is "
        f"empty; LIBRDKAFKA_SSL_KEY_PEM_FILE: {tmp_path}/missing: No such file or "
        "directory; LIBRDKAFKA_ZZZ: librdkafka has no such property"
    ) == str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("SOCKET_KEEPALIVE_ENABLE", "maybe", "socket.keepalive.enable"),
        ("SECURITY_PROTOCOL", "HTTPS", "security.protocol"),
        ("SSL_CA_LOCATION", "/nowhere", "ssl.ca.location"),
        ("SSL_KEY_PEM", CANARY, "ssl.key.pem"),
    ],
)
def test_values(variable: str, value: str, message: str) -> None:
    """Values are checked by librdkafka."""
    environ = {"LIBRDKAFKA_SECURITY_PROTOCOL": "SSL", "LIBRDKAFKA_" + variable: value}

    with pytest.raises(SettingsInvalid, match=message) as refusal:
        librdkafka_properties(environ)

    assert CANARY not in str(refusal.value)


def test_values_that_do_not_go_together() -> None:
    """A mechanism whose user is missing is refused before anybody is asked."""
    environ = {
        "LIBRDKAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "LIBRDKAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    }

    with pytest.raises(SettingsInvalid, match=r"sasl\.username"):
        librdkafka_properties(environ)


def test_repr() -> None:
    """Settings do not show the properties."""
    settings = KafkaSettings("h:1", "control", librdkafka={"sasl.password": CANARY})

    assert CANARY not in repr(settings)
