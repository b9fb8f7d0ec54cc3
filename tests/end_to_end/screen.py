"""A terminal, as far as the job makes use of one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from tests.end_to_end.process import COMMAND

_TOKENS = re.compile(r"\x1b\[(?P<number>[\d;?]*)(?P<action>[A-Za-z])|(?P<text>[^\x1b])")


@define
class Screen:
    """
    What is to be seen, scrolled-out lines and all.

    Attributes:
        columns: Its width.

        frames: Every different picture of the last lines that there was.
    """

    columns: int
    frames: list[str] = field(factory=list)
    colours: int = field(default=0, init=False)
    _lines: list[str] = field(factory=lambda: [""], init=False)
    _row: int = field(default=0, init=False)
    _column: int = field(default=0, init=False)

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(line.rstrip() for line in self._lines).rstrip()

    def write(self, text: str) -> None:
        """Show *text*."""
        end = 0
        for token in _TOKENS.finditer(text):
            assert token.start() == end, f"not understood: {text[end : token.end()]!r}"
            end = token.end()
            if token["text"]:
                self._put(token["text"])
            else:
                self._act(token["action"], token["number"])
        assert end == len(text), f"not understood: {text[end:]!r}"
        frame = "\n".join(line.rstrip() for line in self._lines[-4:])
        if not self.frames or self.frames[-1] != frame:
            self.frames.append(frame)

    def _put(self, character: str) -> None:
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._down()
        else:
            assert character.isprintable(), repr(character)
            if self._column == self.columns:
                self._down()
                self._column = 0
            line = self._lines[self._row].ljust(self._column)
            before, after = line[: self._column], line[self._column + 1 :]
            self._lines[self._row] = before + character + after
            self._column += 1

    def _down(self) -> None:
        self._row += 1
        if self._row == len(self._lines):
            self._lines.append("")

    def _act(self, action: str, number: str) -> None:
        match action:
            case "A":
                self._row -= int(number or 1)
            case "K":
                assert "2" == number
                self._lines[self._row] = ""
            case "m":
                self.colours += number not in {"", "0", "1", "2"}
            case _:
                raise AssertionError(f"not understood: {action}")


@define
class TerminalJob:
    """
    The job at a terminal.

    Attributes:
        process: It.

        screen: What is to be seen.
    """

    process: subprocess.Popen[bytes]
    screen: Screen
    _master: int
    raw: str = ""
    _news: threading.Condition = field(factory=threading.Condition)

    def read(self) -> None:
        """Show everything that comes, to the end."""
        rest = b""
        while data := self._next():
            rest += data
            # Neither half a character nor half a sequence.
            whole = rest.rfind(b"\x1b") if rest[-12:].count(b"\x1b") else len(rest)
            try:
                text = rest[:whole].decode()
            except UnicodeDecodeError:
                continue
            rest = rest[whole:]
            self._show(text)
        self._show(rest.decode())

    def _next(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except OSError:  # Linux' way to say that nobody is at the other end any more
            return b""

    def _show(self, text: str) -> None:
        with self._news:
            self.raw += text
            self.screen.write(text)
            self._news.notify_all()

    def wait_for(self, text: str, timeout: float = 120) -> None:
        """Wait until *text* was to be seen."""
        with self._news:
            assert self._news.wait_for(
                lambda: any(text in frame for frame in self.screen.frames), timeout
            ), self.screen.text


@contextmanager
def at_terminal(
    environ: Mapping[str, str],
    columns: int = 80,
    command: Sequence[str | Path] = (COMMAND,),
) -> Iterator[TerminalJob]:
    """Run the job with a terminal for standard output and error."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        command,
        env={
            "PATH": os.environ["PATH"],
            "HOME": os.environ["HOME"],
            "TERM": "xterm-256color",
            "STREAMFIT_LOG": "console",
            **environ,
        },
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    job = TerminalJob(process, Screen(columns), master)
    reader = threading.Thread(target=job.read)
    reader.start()
    try:
        yield job
    finally:
        process.kill()
        process.wait()
        reader.join()
        os.close(master)
