"""A broker to try things with: `make kafka`."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from tests.broker.apache_kafka import apache_kafka
from tests.broker.topics import KafkaTopics


def main() -> None:
    """Run it until somebody ends it."""
    parser = argparse.ArgumentParser(
        prog="make kafka", description="Run Apache Kafka on this machine."
    )
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("topics", nargs="*", help="made with one partition each")
    wanted = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # in the background, too
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        run(wanted.port, wanted.topics)


def run(port: int, topics: Sequence[str]) -> None:
    """Run it at *port* with *topics*, for ever."""
    say("Fetching Apache Kafka, once, and starting it ...")
    with apache_kafka(port) as broker:
        for topic in topics:
            KafkaTopics(broker.servers).create(topic)
        say(f"Apache Kafka is at {broker.servers}; topics: {', '.join(topics)}.")
        say("Ctrl-C ends it, and with it what was sent.")
        while True:
            signal.pause()


def say(text: str) -> None:
    """Tell whoever has started it."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
