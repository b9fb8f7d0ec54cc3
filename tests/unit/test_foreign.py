"""Nothing breaks the log, and nothing is lost, however a process ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

SCRIPT = """
import ctypes, logging, os, sys, threading, time
from bootstrap import foreign, logs
from bootstrap.phase_board import BOARD
from domain.phases import Phase

logs.configure({style!r}, deployment_id=7)
log = logging.getLogger("job")
foreign.retell(
    {style!r}, {{"deployment_id": 7, "result_id": "3"}}, ["s3cret-two", "s3cret"]
)
native = ctypes.PyDLL(None)  # which holds Python's lock meanwhile

def write(descriptor, text):
    native.write(descriptor, text, len(text))

BOARD(Phase.TRAINING)
{work}
"""


def run(work, style="json"):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(style=style, work=work)],
        capture_output=True,  # read to its end, which the retelling has, too
        text=True,
        timeout=60,
        check=False,
    )
    assert "" == done.stdout
    return done


def records(done):
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets(style):
    """What libraries say of secrets is not told, nor is it among the arguments."""
    done = run(
        "print('token s3cret-two'); write(2, b'%3|1|FAIL| as s3cret.\\n')\n"
        "import pathlib\n"
        "me = pathlib.Path(f'/proc/self/task/{os.getpid()}/children').read_text()\n"
        "its = pathlib.Path(f'/proc/{me.split()[0]}/cmdline')\n"
        "while not its.read_bytes(): time.sleep(0.01)  # it is about to begin\n"
        "print(its.read_bytes())",
        style,
    )

    assert "token ***" in done.stderr
    assert "as ***." in done.stderr
    assert "retelling.py" in done.stderr
    assert "s3cret" not in done.stderr


def test_both_streams():
    """What anybody writes is a record, with everything that ours have."""
    done = run(
        "print('printed'); write(1, b'native\\n'); log.info('ours')\n"
        "print('said', file=sys.stderr); write(2, b'W0000 00:00:00 x] careful\\n')"
    )

    assert 0 == done.returncode
    told = {line["event"]: line for line in records(done)}
    assert {"printed", "native", "ours", "said", "W0000 00:00:00 x] careful"} == set(
        told
    )
    assert {7} == {line["deployment_id"] for line in told.values()}
    assert {"training"} == {line["phase"] for line in told.values()}
    assert ("stdout", "info") == (told["native"]["logger"], told["native"]["level"])
    assert ("stderr", "warning") == (told["said"]["logger"], told["said"]["level"])
    assert set(told["ours"]) | {"result_id"} == set(told["said"])


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("native.abort()", -6),
        ("native.memset(0, 0, 1)", -11),
        ("os.kill(os.getpid(), 9)", -9),
        ("os._exit(3)", 3),
        ("raise ZeroDivisionError", 1),
        ("sys.exit(4)", 4),
    ],
)
def test_last_words(end, code):
    """What was written right before the end comes out, half a line, too."""
    done = run(f"write(2, b'last words\\nvery last')\n{end}")

    assert code == done.returncode
    told = [line["event"] for line in records(done)]
    assert "last words" == told[0]
    assert any("very last" in line for line in told)
    if code in {-6, -11}:
        assert any("Fatal Python error" in line for line in told)
    if code == 1:
        assert "ZeroDivisionError" in told


def test_more_than_a_pipe_holds():
    """Native code that holds Python's lock writes as much as it likes."""
    done = run("write(2, b'x' * 1000000 + b'\\n')\nlog.info('ours')")

    told = records(done)
    assert 1_000_000 == sum(len(r["event"]) for r in told if r["logger"] == "stderr")
    assert "ours" in {line["event"] for line in told}


def test_side_by_side():
    """Records of ours and of others do not mix."""
    done = run(
        "def talk():\n"
        "    for _ in range(500):\n"
        "        os.write(2, b'native ' + b'n' * 1000 + b'\\n')\n"
        "threads = [threading.Thread(target=talk) for _ in range(3)]\n"
        "for thread in threads: thread.start()\n"
        "for _ in range(500): log.info('ours' + 'o' * 1000)\n"
        "for thread in threads: thread.join()"
    )

    assert 2000 == len(records(done))


def test_console():
    """For people they are lines like ours, without anything that forges others."""
    done = run(
        "write(2, b'a\\x1b[31mred\\n'); os.write(1, b'\\xe2\\x80\\xae')", "console"
    )

    lines = done.stderr.splitlines()
    assert any(r"[warning  ] a\x1b[31mred [stderr]" in line for line in lines)
    assert any(r"[info     ] \u202e [stdout]" in line for line in lines)
    assert done.stderr.replace("\n", "").isprintable()


def test_no_room_for_the_phase():
    """Where no file may have a byte, records of others have no phase."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
    work = "write(2, b'native\\n'); log.info('ours')"
    done = subprocess.run(
        [sys.executable, "-c", limit + SCRIPT.format(style="json", work=work)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    told = {line["event"]: line.get("phase") for line in records(done)}
    assert {"native": None, "ours": "training"} == told


def test_log_that_nobody_reads():
    """The job goes on where its log has no reader any more."""
    work = "[write(2, b'x' * 99 + b'\\n') for _ in range(5000)]; os._exit(5)"
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(style="json", work=work)],
        stderr=subprocess.PIPE,
    )
    process.stderr.close()

    assert 5 == process.wait(60)


def test_process_left_behind():
    """One that holds standard error open does not hold the job's end up for ever."""
    began = time.monotonic()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            SCRIPT.format(
                style="json",
                work="import subprocess; subprocess.Popen(['sleep', '40'])",
            ),
        ],
        stderr=subprocess.DEVNULL,
    )

    assert 0 == process.wait(30)
    assert time.monotonic() - began < 30
