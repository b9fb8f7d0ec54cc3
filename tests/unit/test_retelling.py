"""Lines that libraries write past the log."""

from __future__ import annotations

import pytest

from bootstrap.retelling import Lines, harmless, level


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2026-11-23 19:00:00.123456: I tensorflow/core/x.cc:1] hello", "info"),
        ("2026-11-23 19:00:00.123456: E external/xla.cc:1] hello", "error"),
        ("W0000 00:00:1795461177.210942   27058 execute.cc:1249] hello", "warning"),
        ("F1123 19:00:00.000000 1 x.cc:1] hello", "critical"),
        ("%3|1700000000.123|FAIL|streamfit#consumer-1| hello", "error"),
        ("%7|1700000000.123|RECV|streamfit#consumer-1| hello", "debug"),
        ("Fatal Python error: Segmentation fault", "critical"),
        ("anything else", "as said"),
        ("", "as said"),
    ],
)
def test_level(line, told):
    """Libraries say how bad it is, each in its own way."""
    assert told == level(line, "as said")


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b"one\ntwo\n"], ["one", "two"]),
        ([b"on", b"e\nt", b"wo"], ["one", "two"]),
        ([b"1/3 \x08\x08\x08\r2/3\x08\x08\r\n3/3"], ["1/3", "2/3", "3/3"]),
        (["ü".encode()[:1], "ü".encode()[1:] + b"\n"], ["ü"]),
        ([b"\xff\n", b"\xc3"], [r"\xff", r"\xc3"]),
        ([b"\n\n  \n"], []),
        ([b"x" * 5000 + b"\n"], ["x" * 2048, "x" * 2048, "x" * 904]),
    ],
)
def test_lines(chunks, lines):
    """Lines are told when they are complete, and the last one at the end."""
    taken = Lines()

    assert lines == [line for chunk in [*chunks, b""] for line in taken.add(chunk)]


def test_endless_line():
    """A line without an end does not fill the memory."""
    lines = Lines()

    told = [line for _ in range(1000) for line in lines.add(b"x" * 1000)]

    assert 990_000 < sum(map(len, told)) <= 1_000_000
    assert max(map(len, told)) <= 2048


@pytest.mark.parametrize("code", [*range(32), *range(127, 160), 0x2028, 0x202E, 0xFEFF])
def test_harmless(code):
    """Whatever moves a cursor, or turns text around, is an escape."""
    told = harmless(f"a{chr(code)}b")

    assert told.startswith("a\\")
    assert told.endswith("b")
    assert told.isprintable()


def test_plain_text():
    """Other text stays, whatever the script."""
    assert r"naïve 日本 \n 🙂" == harmless(r"naïve 日本 \n 🙂")
