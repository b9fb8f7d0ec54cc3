"""A container's first process, in front of the job."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

SCRIPT = """
import os, signal, sys, time
from bootstrap import init

if (code := init.become_job()) is not None:
    print("stood by", flush=True)
    sys.exit(code)
{work}
"""


@pytest.fixture
def start():
    processes = []

    def start(work):
        process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT.format(work=work)],
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("pass", 0),
        ("sys.exit(78)", 78),
        ("os.abort()", 134),
        ("os.kill(os.getpid(), signal.SIGKILL)", 137),
    ],
)
def test_codes(start, end, code):
    """It ends as the job does, the way shells tell it."""
    process = start(end)

    out, _ = process.communicate(timeout=30)
    assert (code, "stood by\n") == (process.returncode, out)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals(start, number):
    """What is told it is told the job."""
    process = start(
        "signal.signal(signal.SIGTERM, lambda n, _: sys.exit(100 + n))\n"
        "signal.signal(signal.SIGINT, lambda n, _: sys.exit(100 + n))\n"
        "print('ready', flush=True)\n"
        "time.sleep(60)"
    )
    assert "ready\n" == process.stdout.readline()

    process.send_signal(number)

    assert 100 + number == process.wait(30)


def test_others(start):
    """It waits for those that the job leaves behind, and for none that never ends."""
    process = start("if os.fork():\n    os._exit(3)\ntime.sleep(60)")

    assert 3 == process.wait(30)


def test_orphans(tmp_path):
    """As a subreaper, which the first process is, it lets orphans finish."""
    told = tmp_path / "told"
    script = SCRIPT.replace(
        "if (code",
        "import ctypes; ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\nif (code",
    ).format(
        work="if os.fork():\n    os._exit(3)\n"
        f"time.sleep(1)\nopen({str(told)!r}, 'w').close()"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], timeout=30, check=False, env=dict(os.environ)
    )

    assert 3 == process.returncode
    assert told.exists()
