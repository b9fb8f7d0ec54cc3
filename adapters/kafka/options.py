"""librdkafka's options that our clients share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TypeVar

from confluent_kafka import KafkaException

from adapters.kafka.property_names import CONSUMER, PRODUCER, SECRET
from domain.errors import SettingsInvalid

T = TypeVar("T")
Options = dict[str, object]

LOGGER = logging.getLogger("librdkafka")
"""Takes what librdkafka would write to standard error."""


def consumer_options(servers: str, properties: Mapping[str, str]) -> Options:
    """Return those of a consumer, to be completed."""
    return _shared(servers) | _without(properties, PRODUCER)


def producer_options(servers: str, properties: Mapping[str, str]) -> Options:
    """Return those of a producer or administrator, to be completed."""
    return _shared(servers) | _without(properties, CONSUMER)


def make(kind: Callable[..., T], options: Options, properties: Mapping[str, str]) -> T:
    """
    Make a client.

    Raises:
        SettingsInvalid: librdkafka refuses the *properties*, which are among the
            *options*.
    """
    try:
        return kind(options, logger=LOGGER)
    except KafkaException as error:
        raise SettingsInvalid(
            f"LIBRDKAFKA_...: {mask(error.args[0].str(), properties)}"
        ) from None


def mask(text: str, properties: Mapping[str, str]) -> str:
    """Take the secrets among *properties* out of *text*."""
    for name in SECRET & properties.keys():
        text = text.replace(properties[name], "***")
    return text


def _shared(servers: str) -> Options:
    return {
        "bootstrap.servers": servers,
        "client.id": "streamfit",
        "socket.keepalive.enable": True,
        "log.connection.close": False,
        # The default starts from scratch as soon as all brokers are down, which forgets
        # the back-off: twenty attempts, and log lines, each second.
        "metadata.recovery.strategy": "none",
        "reconnect.backoff.max.ms": 2000,
    }


def _without(properties: Mapping[str, str], foreign: frozenset[str]) -> Options:
    """Leave out the *foreign* ones, of which librdkafka would warn every time."""
    return {name: text for name, text in properties.items() if name not in foreign}
