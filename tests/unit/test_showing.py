"""Reports in the terminal."""

from __future__ import annotations

import pytest
from attrs import evolve
from typer.testing import CliRunner

from adapters.report.facts import facts_of
from adapters.report.making import document
from adapters.report.summary import lines
from adapters.report.writing import ReportWriter
from bootstrap.command_line import app
from domain.events import JobEnded, Layer
from tests import stories

FACTS = facts_of({"DEPLOYMENT_ID": "7"})


@pytest.fixture
def folder(tmp_path):
    """Reports of a job that failed, and of one that went well later."""
    for story, at in ((stories.failed, 1.79e9), (stories.delivered, 1.79e9 + 60)):
        made = document(evolve(story(), begun=at, identity=story.__name__), FACTS)
        ReportWriter(tmp_path, lambda made=made: made)(JobEnded(0))
    return tmp_path


def show(*arguments, **environ):
    return CliRunner().invoke(app, ["show", *map(str, arguments)], env=environ)


def test_file(folder):
    """A file is shown, be it the one for browsers."""
    for path in folder.glob("*failed.*"):
        shown = show(path)
        assert 0 == shown.exit_code, shown.output
        assert "Deployment 7: failed" in shown.output
        assert "brokers away for 300 s" in shown.output


def test_folder(folder):
    """Of a folder the latest is shown."""
    assert "Deployment 7: delivered" in show(folder).output


def test_identity(folder):
    """The beginning of an identity will do, with a folder to look in."""
    assert "7: failed" in show("fail", "--folder", folder).output
    assert "7: failed" in show("fail", STREAMFIT_REPORT_DIR=str(folder)).output


@pytest.mark.parametrize("run", ["nobody", "elsewhere/report.json"])
def test_not_there(run, folder):
    """What is not there is said, with the place that was looked at."""
    shown = show(run, "--folder", folder)

    assert 2 == shown.exit_code
    assert "no run in" in " ".join(shown.output.replace("│", "").split())


def test_no_folder():
    """An identity needs a folder."""
    assert 2 == show("0123", STREAMFIT_REPORT_DIR="").exit_code


def test_empty_folder(tmp_path):
    """A folder without reports is said to be one."""
    assert 2 == show(tmp_path).exit_code


def test_something_else(tmp_path):
    """A file of another kind is refused."""
    path = tmp_path / "other.json"
    path.write_text('{"a": 1}')

    shown = show(path)

    assert 2 == shown.exit_code
    assert "no report of a run" in " ".join(shown.output.replace("│", "").split())


def test_everything():
    """Numbers, curves, gaps, skipped messages and layers are told."""
    text = "\n".join(lines(document(stories.delivered(), FACTS)))

    for part in (
        "69,880 records, 54.9 MB, 20 bad",
        "100 missing",
        "validation 6,988 (10.0 %)",
        "12 epochs, 43.2 s",
        "█▄▃▂ ▂▁",
        "accuracy  0.9333",
        "6,715 of 6,869 right (97.8 %)",
        "training",
        "dense    Dense       100,480",
    ):
        assert part in text


def test_harmless():
    """A name from the network neither moves the cursor nor begins a line."""
    hostile = "\x1b[2Jdata\r\n\x07\u202eevil"
    story = stories.failed(f"{hostile}: away", topic=hostile)
    story = evolve(story, model=(Layer(hostile, hostile),))

    for line in lines(document(story, FACTS)):
        assert line.isprintable()


def test_many_rows():
    """A table of a thousand layers is cut."""
    layers = tuple(Layer(f"layer_{n}", "Dense", (), 1) for n in range(1000))

    text = list(lines(document(evolve(stories.waiting(), model=layers), FACTS)))

    assert "  and 980 more" in text
    assert len(text) < 40
