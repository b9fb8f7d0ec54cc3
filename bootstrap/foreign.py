"""
What libraries write to standard output and error, past the log, becomes part of it.

Native code, Keras's own progress and Python's last words know nothing of log records.
"""

from __future__ import annotations

import atexit
import faulthandler
import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from bootstrap import retelling
from bootstrap.phase_board import BOARD, NAMES, NONE

log = logging.getLogger(__name__)

_STANDARD = (1, 2)

_PATIENCE = 5.0
"""Seconds that the last lines may take at the end."""


def retell(style: str, facts: Mapping[str, object], secrets: Sequence[str]) -> None:
    """
    From now on make log records of what is written to standard output and error.

    Up to the end of the process, and beyond: its last words come out if it crashes.
    Our own records must have a descriptor of their own by now.

    Args:
        style: ``json`` or ``console``.

        facts: For every record.

        secrets: What is not to be told.
    """
    made: list[int] = []
    try:
        before = [os.dup(standard) for standard in _STANDARD]
        made += before
        pipes = [os.pipe() for _ in _STANDARD]
        made += [end for pipe in pipes for end in pipe]
        teller = _start(style, facts, [read for read, _ in pipes])
        _whisper(teller, secrets)
    except OSError as reason:
        log.warning("libraries' output stays as it is", extra={"reason": str(reason)})
        for descriptor in made:
            os.close(descriptor)
        return
    for standard, (read, write) in zip(_STANDARD, pipes, strict=True):
        os.dup2(write, standard)
        os.close(write)
        os.close(read)
    faulthandler.enable()
    # Behind the threads: one of them may be in the middle of an import that writes.
    atexit.register(_end, teller, before)


def _start(
    style: str, facts: Mapping[str, object], reading: Sequence[int]
) -> subprocess.Popen[bytes]:
    """Start the process that reads from the ends *reading* of the pipes."""
    board = BOARD.descriptor
    told = [style, json.dumps(facts), json.dumps(NAMES), *map(str, (board, *reading))]
    return subprocess.Popen(  # noqa: S603  # our own words
        # Neither site packages nor anybody's start-up code: it stays small.
        [sys.executable, "-I", "-S", retelling.__file__, *told],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=reading if board == NONE else (board, *reading),
        start_new_session=True,  # Ctrl-C is not for it
    )


def _whisper(teller: subprocess.Popen[bytes], secrets: Sequence[str]) -> None:
    """Tell *teller* what nobody is to hear: who looks at processes sees arguments."""
    assert teller.stdin is not None  # noqa: S101  # for mypy: it is a pipe
    with teller.stdin:
        teller.stdin.write(json.dumps(secrets).encode("ascii"))


def _end(teller: subprocess.Popen[bytes], before: list[int]) -> None:
    """Wait until everything was told."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for standard, old in zip(_STANDARD, before, strict=True):
        os.dup2(old, standard)
        os.close(old)
    try:
        teller.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        log.debug("a process that was left behind holds standard error open")
