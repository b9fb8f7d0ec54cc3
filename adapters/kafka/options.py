"""librdkafka's options that every client of ours shares."""

from __future__ import annotations

import logging

LOGGER = logging.getLogger("librdkafka")
"""Takes what librdkafka would write to standard error."""


def shared_options(bootstrap_servers: str) -> dict[str, str | int | float | bool]:
    """Return them, to be completed."""
    return {
        "bootstrap.servers": bootstrap_servers,
        "client.id": "streamfit",
        "socket.keepalive.enable": True,
        "log.connection.close": False,
        # The default starts from scratch as soon as all brokers are down, which forgets
        # the back-off: twenty attempts, and log lines, each second.
        "metadata.recovery.strategy": "none",
        "reconnect.backoff.max.ms": 2000,
    }
