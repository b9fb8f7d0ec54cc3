"""Reports in a folder: whole ones, or none."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys

import pytest

from adapters.report.document import Document
from adapters.report.facts import facts_of
from adapters.report.making import document
from adapters.report.writing import ReportWriter, name_of
from domain.events import JobEnded
from domain.phases import Phase
from tests import stories

FACTS = facts_of({"DEPLOYMENT_ID": "7"})


def writer(folder, story):
    return ReportWriter(folder, lambda: document(story(), FACTS))


def test_at_the_end(tmp_path):
    """Both files are there once the job has ended, and nothing else ever is."""
    folder = tmp_path / "below" / "reports"
    write = writer(folder, stories.delivered)

    write(Phase.DONE)
    assert not folder.exists()
    write(JobEnded(0))

    stem = f"20260921T141320250Z-{stories.IDENTITY}"
    assert [f"{stem}.html", f"{stem}.json"] == sorted(
        path.name for path in folder.iterdir()
    )
    read = Document.from_json((folder / f"{stem}.json").read_text(encoding="utf-8"))
    assert document(stories.delivered(), FACTS) == read
    assert "</html>" in (folder / f"{stem}.html").read_text(encoding="utf-8")


def test_without_a_run():
    """A job that never had anything to train on has a report, too."""
    assert name_of(document(stories.waiting(), FACTS)).endswith("Z-nothing")


def test_nowhere_to_write(tmp_path, caplog):
    """A folder that takes no file is said, and ends nothing."""
    (tmp_path / "file").touch()

    with caplog.at_level(logging.WARNING):
        writer(tmp_path / "file", stories.delivered)(JobEnded(0))

    (line,) = caplog.records
    assert "report not written" == line.message


def test_no_room(tmp_path):
    """Where the room ends, there is no half report."""
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from adapters.report.facts import facts_of\n"
        "from adapters.report.making import document\n"
        "from adapters.report.writing import ReportWriter\n"
        "from domain.events import JobEnded\n"
        "from tests import stories\n"
        "made = document(stories.delivered(), facts_of({}))\n"
        "ReportWriter(Path(sys.argv[1]), lambda: made)(JobEnded(0))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 0 == done.returncode
    assert "report not written" in done.stderr
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("before", ["fsync", "rename"])
def test_killed(before, tmp_path):
    """What a process leaves that is killed while it writes is no report."""
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from adapters.report.facts import facts_of\n"
        "from adapters.report.making import document\n"
        "from adapters.report.writing import ReportWriter\n"
        "from domain.events import JobEnded\n"
        "from tests import stories\n"
        "die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"{'os.fsync' if before == 'fsync' else 'Path.rename'} = die\n"
        "made = document(stories.delivered(), facts_of({}))\n"
        "ReportWriter(Path(sys.argv[1]), lambda: made)(JobEnded(0))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], timeout=60, check=False
    )

    assert -signal.SIGKILL == done.returncode
    assert [] == [*tmp_path.glob("*.json"), *tmp_path.glob("*.html")]


def test_json_is_strict(tmp_path):
    """Any reader of JSON takes the file."""

    def refuse(text):
        raise AssertionError(text)

    writer(tmp_path, stories.delivered)(JobEnded(0))

    (path,) = tmp_path.glob("*.json")
    json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
