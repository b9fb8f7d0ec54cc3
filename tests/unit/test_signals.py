"""Signals end a process, wherever it is."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

SCRIPT = """
import hashlib, sys, time
from bootstrap.signals import Signals

def say(code):
    print("last word", code, flush=True)

signals = Signals(last_word=say, grace={grace})
signals.install()
try:
    print("ready", flush=True)
    {work}
except SystemExit:
    print("closing", flush=True)
    {closing}
    raise
"""
NATIVE = 'hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)'
"""Minutes in native code, which no signal interrupts."""


@pytest.fixture
def start():
    processes = []

    def start(work, closing="pass", grace=60.0):
        script = SCRIPT.format(work=work, closing=closing, grace=grace)
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        time.sleep(0.5)  # for the step from there into the work
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_in_python(start, number, code):
    """Python code is left at once, by way of what closes."""
    process = start("time.sleep(60)")

    process.send_signal(number)

    out, _ = process.communicate(timeout=30)
    assert "closing\n" == out
    assert code == process.returncode


@pytest.mark.parametrize(
    ("rest", "grace", "told"), [(3, 60, "told everybody\n"), (60, 1, "")]
)
def test_settled(start, rest, grace, told):
    """An end that is settled stays so: there is a while left to tell of it."""
    work = f"signals.settle(0); time.sleep({rest}); print('told everybody')"
    process = start(work, grace=grace)

    process.send_signal(signal.SIGTERM)

    out, _ = process.communicate(timeout=30)
    assert (0, told) == (process.returncode, out)


def test_in_native_code(start):
    """Native code does not keep the process longer than its grace."""
    process = start(NATIVE, grace=0.5)

    process.send_signal(signal.SIGTERM)

    out, _ = process.communicate(timeout=30)
    assert "last word 143\n" == out
    assert 143 == process.returncode


@pytest.mark.parametrize(
    ("work", "closing"),
    [(NATIVE, "pass"), ("time.sleep(60)", "time.sleep(60)")],
    ids=["in native code", "while closing"],
)
def test_second_signal(start, work, closing):
    """The second one ends the process as it is."""
    process = start(work, closing)

    process.send_signal(signal.SIGTERM)
    if closing != "pass":
        assert "closing\n" == process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    # Two signals of a kind that are not taken yet may be one.
    while process.poll() is None:
        process.send_signal(signal.SIGTERM)

    assert 143 == process.returncode
    assert "last word 143" in process.stdout.read()
