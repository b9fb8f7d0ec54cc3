"""``streamfit send``: options, mistakes and what is shown, without a broker."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from bootstrap.client import send
from bootstrap.command_line import app
from bootstrap.sending import progress
from bootstrap.sending.wiring import Sending
from domain.errors import Unavailable
from domain.sending import DataInvalid, Delivered
from tests.end_to_end.process import COMMAND

CLOSED_PORT = "127.0.0.1:1"
WHERE = ("--topic", "data", "--deployment", "7", "--bootstrap-servers", CLOSED_PORT)


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((4, 2), np.float32), y=np.zeros(4, np.uint8))
    return str(path)


def run(*arguments):
    """Return exit code and what was said."""
    result = CliRunner().invoke(app, ["send", *arguments])
    return result.exit_code, " ".join(result.output.split())


def start(*arguments, **environ):
    """Return exit code and standard error of the installed command."""
    done = subprocess.run(
        [COMMAND, "send", *arguments],
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--topic", "a b"), "'a b' is no name of a topic"),
        (("--unlabelled-topic", "u"), "belong together"),
        (("--validation-rate", "0.6", "--test-rate", "0.6"), "more than 1 together"),
        (("--validation-rate", "1.5"), "1.5"),
        (("--deployment", "-1"), "-1"),
        (("--deployment", "one"), "one"),
        (("--image-size", "28"), "want HEIGHTxWIDTH"),
        (("--dtype", "float33"), "float33"),
        (("--format", "json"), "json"),
        (("--data-scheme", __file__), "schemas are for AVRO"),
    ],
)
def test_wrong_options(data, options, reason):
    """Wrong options are told before anything is read."""
    code, said = run(data, *WHERE, *options)

    assert 2 == code
    assert reason in said.replace("│ │ ", "").replace(" │", "")


@pytest.mark.parametrize("missing", ["--topic", "--deployment", "--bootstrap-servers"])
def test_missing_option(data, missing, monkeypatch):
    """What cannot be guessed has to be given, or come from the environment."""
    for variable in ("DEPLOYMENT_ID", "BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(variable, raising=False)
    place = WHERE.index(missing)

    code, said = run(data, *WHERE[:place], *WHERE[place + 2 :])

    assert 2 == code
    assert missing in said


class TestMistakes:
    """In a process of its own, as people start it."""

    def test_data(self, tmp_path):
        """Wrong data are an error of their own, with file and row."""
        path = tmp_path / "a.csv"
        path.write_text("a,label\n1.5,0\n,1\n")

        code, said = start(str(path), *WHERE)

        assert 65 == code
        assert f"streamfit send: {path}: line 3: column a is empty\n" == said

    def test_broker(self, data):
        """Brokers that stay away are worth another attempt."""
        code, said = start(data, *WHERE, "--deadline", "0.5")

        assert 75 == code
        assert f"streamfit send: {CLOSED_PORT}: away for" in said

    def test_library(self, tmp_path):
        """A library that is missing is named."""
        path = tmp_path / "a.parquet"
        path.write_bytes(b"")
        (tmp_path / "pyarrow.py").write_text(
            "raise ModuleNotFoundError('No module named pyarrow', name='pyarrow')"
        )

        code, said = start(str(path), *WHERE, PYTHONPATH=str(tmp_path))

        assert 69 == code
        assert f"streamfit send: {path}: pyarrow is not installed" in said

    def test_properties(self, data):
        """Properties of librdkafka come from the environment, and are checked."""
        code, said = start(data, *WHERE, LIBRDKAFKA_ACKS="1")

        assert 78 == code
        assert "LIBRDKAFKA_ACKS: acks must not be changed" in said


class TestClient:
    def test_unreachable(self):
        """Brokers that stay away are an exception."""
        with pytest.raises(Unavailable, match=f"^{CLOSED_PORT}: away for"):
            send(
                [[1.5]],
                [0],
                topic="data",
                deployment=1,
                bootstrap_servers=CLOSED_PORT,
                deadline=0.5,
            )

    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"topic": ""}, "no name of a topic"),
            ({"deployment": -1}, "not negative"),
            ({"unlabelled": [[1]]}, "belong together"),
            ({"unlabelled": [[1]], "unlabelled_topic": "data"}, "another topic"),
            ({"validation_rate": 2}, "from 0 to 1"),
        ],
    )
    def test_wrong(self, options, reason):
        """Mistakes are told before anything is sent."""
        where = {"topic": "data", "deployment": 1, "bootstrap_servers": CLOSED_PORT}

        with pytest.raises(ValueError, match=reason):
            send([[1]], [0], **{**where, **options})

    def test_data(self):
        """What is no data set is an exception."""
        with pytest.raises(DataInvalid, match="2 examples, but 1 labels"):
            send(
                [[1], [2]],
                [0],
                topic="data",
                deployment=1,
                bootstrap_servers=CLOSED_PORT,
            )


class TestProgress:
    def test_tally(self):
        """What was delivered counts over all topics, the latest word of each."""
        with progress.progress({}) as tally:
            tally(Delivered("a", 1, 10))
            tally(Delivered("a", 3, 30))
            tally(Delivered("b", 2, 20))

        assert (5, 50) == (tally.records, tally.size)

    def test_lines(self, capsys, monkeypatch):
        """Where nobody looks at a terminal, a line is written now and then."""
        now = [100.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])

        with progress.progress({"a": 9}) as tally:
            for seconds in (1, 3, 2, 4, 5):
                now[0] += seconds
                tally(Delivered("a" if now[0] < 110 else "b", int(now[0]), 1))

        assert (
            "a: 106 of 9 records delivered\nb: 115 records delivered\n"
            == capsys.readouterr().err
        )

    def test_bars(self, monkeypatch):
        """On a terminal there is a bar for each topic."""

        class Terminal(io.StringIO):
            def isatty(self):
                return True

        terminal = Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")

        with progress.progress({"a": 9, "b": None}) as tally:
            tally(Delivered("a", 9, 10))
            tally(Delivered("b", 5, 50))

        assert "9/9" in terminal.getvalue()
        assert "5/?" in terminal.getvalue()


def test_batches():
    """Records that are large are read and encoded a few at a time."""
    from adapters.datasets import ArraySource

    sending = Sending("data", 1, CLOSED_PORT, "control")
    sizes = [
        sending.sender(ArraySource.of(np.ones(shape, np.float32), [0]), None, print)
        for shape in ((1, 2), (1, 1000), (1, 2000, 2000))
    ]

    assert [10_000, 1048, 1] == [each.batch_size for each in sizes]
