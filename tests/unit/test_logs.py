"""How log records look, whatever is in them."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

HOSTILE = "a\nforged\r\x1b[31mred\x9b2J\u2028\u2029\u202eright\x00\x7f\ud800"
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")

SCRIPT = """
import logging, warnings
from bootstrap import logs
from bootstrap.phase_board import BOARD
from domain.events import StepsDone
from domain.phases import Phase

HOSTILE = {hostile!a}

class Odd:
    def __repr__(self):
        return HOSTILE

logs.configure({style!r}, deployment_id=7, result_id="3")
log = logging.getLogger("some.module")
{work}
"""


@pytest.fixture
def logged(request):
    """Return what a process logs, in the style that a test's class names."""

    def logged(work, style=request.cls.STYLE if request.cls else "json"):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                SCRIPT.format(hostile=HOSTILE, style=style, work=work),
            ],
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert b"" == done.stdout
        return done.stderr.decode()

    return logged


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets(logged, style):
    """Nobody's secret is shown: in texts, in what holds them, or in a traceback."""
    text = logged(
        "logs.configure(STYLE, lambda text: text.replace('s3cret', '***'))\n"
        "extra = {'b': {'s3cret': ['s3cret']}, 'c': ValueError('s3cret')}\n"
        "log.info('about s3cret', extra=extra)\n"
        "try:\n    raise RuntimeError('is s3cret')\n"
        "except RuntimeError:\n    log.exception('failed')".replace(
            "STYLE", repr(style)
        ),
        style,
    )

    assert "s3cret" not in text
    assert "about ***" in text
    assert "RuntimeError: is ***" in text


class TestJson:
    STYLE = "json"

    def test_facts(self, logged):
        """Deployment, result and phase are in every record; later ones replace them."""
        lines = logged(
            "log.info('before')\n"
            "BOARD(Phase.REPORTING)\n"
            "log.info('then', extra={'position': 'data[0]@7'})\n"
            "BOARD(StepsDone(2, 3, 1, 10))\n"
            "log.warning('later')\n"
        ).splitlines()

        before, then, later = map(json.loads, lines)
        assert {(7, "3")} == {
            (r["deployment_id"], r["result_id"]) for r in (before, then)
        }
        assert "phase" not in before
        assert ("reporting", "data[0]@7") == (then["phase"], then["position"])
        assert ("training", "warning", "some.module") == (
            later["phase"],
            later["level"],
            later["logger"],
        )

    def test_hostile(self, logged):
        """A record is a line, whatever is in its message, fields and errors."""
        lines = logged(
            "log.info(HOSTILE, extra={HOSTILE: HOSTILE, 'odd': Odd()})\n"
            "try:\n"
            "    raise ValueError(HOSTILE)\n"
            "except ValueError:\n"
            "    log.exception('failed')\n"
        ).splitlines()

        plain, failed = map(json.loads, lines)
        assert (HOSTILE, HOSTILE, HOSTILE) == (
            plain["event"],
            plain[HOSTILE],
            plain["odd"],
        )
        assert "ValueError: a\nforged" in failed["exception"]
        assert not CONTROLS.search("".join(lines))

    def test_no_number(self, logged):
        """What JSON has no word for is null, however deep it lies."""
        (line,) = logged(
            "nan, inf = float('nan'), float('inf')\n"
            "deep = {'c': [1.5, -inf]}\n"
            "log.info('x', extra={'a': nan, 'b': deep, 'd': {(1, 2): (nan,)}})"
        ).splitlines()

        def refuse(constant):
            raise AssertionError(constant)

        told = json.loads(line, parse_constant=refuse)
        assert (None, {"c": [1.5, None]}, {"(1, 2)": [None]}) == (
            told["a"],
            told["b"],
            told["d"],
        )

    def test_warnings(self, logged):
        """Python's warnings are records."""
        (line,) = logged("warnings.warn('deprecated' + HOSTILE)").splitlines()

        told = json.loads(line)
        assert ("warning", "py.warnings") == (told["level"], told["logger"])
        assert "deprecated" in told["event"]


class TestConsole:
    STYLE = "console"

    def test_hostile(self, logged):
        """No text begins a line, or a colour, of its own."""
        text = logged(
            "extra = {HOSTILE: HOSTILE, 'odd': Odd(), 'in': [HOSTILE]}\n"
            "log.info(HOSTILE, extra=extra)\n"
        )

        assert 1 == text.count("\n")
        assert not CONTROLS.search(text)
        assert 5 == text.count(r"\u202e")

    def test_errors(self, logged):
        """Every line of a traceback says that it is one."""
        text = logged(
            "try:\n"
            "    raise ValueError(HOSTILE)\n"
            "except ValueError:\n"
            "    log.error('failed', exc_info=True, stack_info=True)\n"
        )

        first, *rest = text.splitlines()
        assert "failed" in first
        assert all(line.startswith("  | ") for line in rest if line), rest
        assert "  | ValueError: a" in rest
        assert not CONTROLS.search(text)

    def test_as_it_was(self, logged):
        """Harmless values are not touched."""
        text = logged(
            "extra = {'of': {'loss': 0.123456}, 'n': 3, 'label': 'Ünï c'}\n"
            "log.info('ready', extra=extra)"
        )

        assert re.search(
            r"ready +\[some.module\] label='Ünï c' n=3 of=\{'loss': 0.1235\}", text
        )
