"""What ``streamfit send`` does."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path

from attrs import evolve

from adapters.datasets import DataOptions, open_data
from adapters.kafka import librdkafka_properties
from adapters.wire.announcement import stream_text
from bootstrap import logs
from bootstrap.main import EXIT_CODES
from bootstrap.sending.progress import Tally, progress
from bootstrap.sending.wiring import Sending
from bootstrap.signals import Signals
from domain.errors import ServiceError
from domain.sending import Announcement, DataInvalid


def run(
    data: Path, unlabelled: Path | None, options: DataOptions, sending: Sending
) -> int:
    """
    Send files, and return the process's exit code.

    Args:
        data: The labelled examples.

        unlabelled: Those without labels.

        options: How to read both.

        sending: Where they go.
    """
    logs.configure("console")
    # Our own words say when brokers are away; librdkafka's are for the job's log.
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL)
    signals = Signals(last_word=_say_stopped)
    signals.install()
    try:
        announcement, tally, seconds = _send(data, unlabelled, options, sending)
    except (Exception, SystemExit) as error:
        if signals.code is not None:  # whatever a library made of being interrupted
            _say_stopped(signals.code)
            return signals.code
        code = _refuse(error, data)
        if code is None:
            raise
        return code
    _report(announcement, tally, seconds, sending)
    return os.EX_OK


def _say_stopped(_: int) -> None:
    sys.stderr.write("streamfit send: stopped before everything was sent\n")


def _refuse(error: BaseException, data: Path) -> int | None:
    """Say what is wrong, and return the exit code; None if it is a bug."""
    if isinstance(error, ServiceError):
        sys.stderr.write(f"streamfit send: {error}\n")
        return _exit_code(error)
    if isinstance(error, ModuleNotFoundError):
        sys.stderr.write(
            f"streamfit send: {data}: {error.name} is not installed, which reads such "
            "files: it comes with the extra 'send'\n"
        )
        return os.EX_UNAVAILABLE
    return None


def _send(
    data: Path, unlabelled: Path | None, options: DataOptions, sending: Sending
) -> tuple[Announcement, Tally, float]:
    """Return what was announced, how much it was, and the seconds that it took."""
    sending = evolve(sending, properties=librdkafka_properties(os.environ))
    source = open_data(data, options)
    others = (
        open_data(unlabelled, evolve(options, labelled=False)) if unlabelled else None
    )
    totals = {sending.topic: source.total}
    if others is not None and sending.unlabelled_topic is not None:
        totals[sending.unlabelled_topic] = others.total
    begun = time.monotonic()
    with progress(totals) as tally:
        announcement = sending.sender(source, others, tally).run()
    return announcement, tally, time.monotonic() - begun


def _report(
    announcement: Announcement, tally: Tally, seconds: float, sending: Sending
) -> None:
    rate = tally.size / 1e6 / seconds
    amount = f"{tally.records} records, {tally.size} bytes, in {seconds:.1f} s"
    lines = [
        f"Delivered {amount}: {rate:.1f} MB/s",
        f"Announced to deployment {sending.deployment} on {sending.control_topic}:",
        f"  topic               {stream_text(announcement.stream)}",
    ]
    if announcement.unlabelled is not None:
        unlabelled = stream_text(announcement.unlabelled)
        lines.append(f"  unsupervised_topic  {unlabelled}")
    lines += [
        f"  input_format        {announcement.decoder.format}",
        *(f"  {k:<19} {v}"[:200] for k, v in announcement.decoder.options.items()),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _exit_code(error: ServiceError) -> int:
    if isinstance(error, DataInvalid):
        return os.EX_DATAERR
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))
