"""
A program of its own: log records of what others write to standard output and error.

It is a process, and no thread of the job: native code may write while it holds Python's
lock, and what it writes last, before it crashes, has to come out, too.  It gets by with
the standard library and ends once everybody has closed the other ends of its pipes.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import selectors
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

_MOST = 2048
"""Characters of one record; a line that is longer makes several."""

_FORMS = (
    re.compile(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: (?P<level>[IWEF]) "
    ),  # TensorFlow
    re.compile(r"(?P<level>[IWEF])\d{4} \d\d:\d\d:\d\d"),  # Abseil
    re.compile(r"%(?P<level>\d)\|"),  # librdkafka: syslog's numbers
    re.compile(r"(?P<level>F)atal "),  # Python
)
_LEVELS = {
    "I": "info",
    "W": "warning",
    "E": "error",
    "F": "critical",
    **dict.fromkeys("012", "critical"),
    "3": "error",
    "4": "warning",
    **dict.fromkeys("56", "info"),
    "7": "debug",
}

_MASK = "***"

_CLEAR, _UP = b"\r\x1b[2K", b"\x1b[1A\x1b[2K"
"""Take away a display's last line, and the one above; it draws itself anew."""


def harmless(text: str) -> str:
    """Return *text* on one line, with escapes for all that has no glyph of its own."""
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def level(text: str, otherwise: str) -> str:
    """Return the level of a line of a library whose form is known."""
    for form in _FORMS:
        if found := form.match(text):
            return _LEVELS.get(found["level"], otherwise)
    return otherwise


class Lines:
    """The lines of one stream, as they become complete."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._rest = ""

    def add(self, data: bytes) -> Iterator[str]:
        """Take what has come and return what is complete; nothing says the end."""
        text = self._rest + self._decoder.decode(data, final=not data)
        # A progress bar goes back to the beginning of its line.
        *lines, self._rest = re.split(r"[\r\n]", text)
        if not data or len(self._rest) > _MOST:
            lines.append(self._rest)
            self._rest = ""
        for line in lines:
            told = line.replace("\b", "").rstrip()
            for start in range(0, len(told), _MOST):
                yield told[start : start + _MOST]


class Retelling:
    """Makes records of lines, and writes them to standard error."""

    def __init__(
        self,
        style: str,
        facts: Mapping[str, object],
        phases: Sequence[str],
        board: int,
        secrets: Sequence[str],
    ) -> None:
        """
        Prepare.

        Args:
            style: ``json`` or ``console``.

            facts: For every record.

            phases: Their short names, by number.

            board: Descriptor of the bytes that hold the present phase's number, and how
                many of the terminal's last lines a display holds; negative for none.

            secrets: What is not to be told.
        """
        self._style = style
        self._facts = facts
        self._phases = phases
        self._board = board
        self._secrets = secrets

    def tell(self, source: str, line: str) -> None:
        """Write a record of *line*."""
        for secret in self._secrets:
            line = line.replace(secret, _MASK)
        told = level(line, "info" if source == "stdout" else "warning")
        record = self._json if self._style == "json" else self._console
        self._write(record(source, line, told))

    def _json(self, source: str, line: str, told: str) -> bytes:
        number, _ = self._look()
        phase = {"phase": self._phases[number]} if number < len(self._phases) else {}
        record = {
            **self._facts,
            **phase,
            "event": line,
            "level": told,
            "logger": source,
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }
        return json.dumps(record).encode("ascii") + b"\n"

    def _console(self, source: str, line: str, told: str) -> bytes:
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        text = f"{now} [{told:<9}] {harmless(line)} [{source}]\n"
        _, lines = self._look()
        room = (
            (_CLEAR + (lines - 1) * _UP, (lines - 1) * b"\n") if lines else (b"", b"")
        )
        return room[0] + text.encode(errors="backslashreplace") + room[1]

    def _look(self) -> tuple[int, int]:
        """Return the number of the phase, and that of the lines of a display."""
        if self._board < 0:
            return len(self._phases), 0
        phase, lines = os.pread(self._board, 2, 0)
        return phase, lines

    @staticmethod
    def _write(data: bytes) -> None:
        while data:
            try:
                data = data[os.write(2, data) :]
            except BlockingIOError:
                continue  # a terminal that somebody else has made so
            except OSError:
                return  # nobody reads it any more; the job must not stop for that


def main(arguments: Sequence[str]) -> None:
    """
    Read until everybody has closed the pipes.

    Secrets come by standard input, where nobody looks.

    Args:
        arguments: Style, facts and phases as JSON, descriptor of the board, and those
            of the pipes for standard output and standard error.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are meant for the job
    style, facts, phases, *descriptors = arguments
    board, out, error = map(int, descriptors)
    retelling = Retelling(
        style, json.loads(facts), json.loads(phases), board, json.load(sys.stdin)
    )
    with selectors.DefaultSelector() as open_pipes:
        for pipe, source in ((out, "stdout"), (error, "stderr")):
            open_pipes.register(pipe, selectors.EVENT_READ, (source, Lines()))
        while open_pipes.get_map():
            for key, _ in open_pipes.select():
                source, lines = key.data
                data = os.read(key.fd, 65536)
                for line in lines.add(data):
                    retelling.tell(source, line)
                if not data:
                    open_pipes.unregister(key.fd)


if __name__ == "__main__":
    main(sys.argv[1:])
