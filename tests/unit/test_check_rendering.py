"""How findings are shown, and what they come to."""

from __future__ import annotations

import io
import json

import pytest

from bootstrap.check import rendering
from bootstrap.check.wiring import limited
from domain.checking.findings import fault, not_checked, ok, warning
from domain.errors import (
    DeploymentInvalid,
    ModelInvalid,
    SettingsInvalid,
    SpoolFull,
    StreamUnreadable,
    TrainingFailed,
    Unavailable,
)


def plain(*findings):
    file = io.StringIO()
    rendering.write_plain(findings, 0, file)
    return file.getvalue().splitlines()


class TestExitCode:
    @pytest.mark.parametrize(
        ("errors", "code"),
        [
            ([], 0),
            ([Unavailable], 75),
            ([SpoolFull], 75),
            ([StreamUnreadable, TrainingFailed], 75),
            ([ModelInvalid], 65),
            ([SettingsInvalid], 78),
            ([Unavailable, ModelInvalid], 65),
            ([ModelInvalid, Unavailable, DeploymentInvalid], 78),
        ],
    )
    def test_lasting(self, errors, code):
        """The fault that lasts longest counts."""
        findings = [fault("it", error("reason"), "fix") for error in errors]

        assert code == rendering.exit_code([ok("a", "b"), *findings])

    def test_no_fault(self):
        """Warnings, and what nobody looked at, are no faults."""
        findings = [warning("a", "b", "c"), not_checked("d", "e")]

        assert 0 == rendering.exit_code(findings)


class TestPlain:
    def test_columns(self):
        """Columns are aligned, a fix is the line behind."""
        lines = plain(ok("back-end", "fine"), warning("room", "little", "more"))

        assert [
            "back-end  ok           fine",
            "room      warning      little",
            "                       fix: more",
            "0 faults, 1 warnings: exit code 0",
        ] == lines

    def test_control_characters(self):
        """Whatever a server answers, it moves no cursor; lines stay lines."""
        first, second, *_ = plain(ok("a", "red: \x1b[31m\nnext"))

        assert "a  ok           red: \N{REPLACEMENT CHARACTER}[31m" == first
        assert "                next" == second


def test_json():
    """The same for programs."""
    file = io.StringIO()

    rendering.write_json([fault("a", Unavailable("b"), "c"), ok("d", "ä")], 75, file)

    assert {
        "exit_code": 75,
        "findings": [
            {"subject": "a", "verdict": "fault", "finding": "b", "fix": "c"},
            {"subject": "d", "verdict": "ok", "finding": "ä", "fix": ""},
        ],
    } == json.loads(file.getvalue())


def test_terminal(capsys):
    """On a terminal it is a table, in which brackets are no markup."""
    rendering.draw([fault("stream", Unavailable("data[0]@1..2"), "[red]x")], 75)

    shown = capsys.readouterr().out
    assert "data[0]@1..2" in shown
    assert "[red]x" in shown
    assert "1 faults, 0 warnings: exit code 75" in shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://me:secret@host/x: 401", "http://***@host/x: 401"),
        ("http://me:p@ss@host/x", "http://***@host/x"),
        ("http://me:a/b@host/x", "http://***@host/x"),
        ("http://host/x", "http://host/x"),
        ("said 'schema:registry'", "said '***'"),
        ("said hidden", "said ***"),
    ],
)
def test_masked(text, expected):
    """No secret is shown, whoever wrote it into a message."""
    environ = {
        "SCHEMA_REGISTRY_AUTH": "schema:registry",
        "LIBRDKAFKA_SASL_PASSWORD": "hidden",
        "BATCH": "1",
    }

    finding = rendering.masked(fault("a", Unavailable(text), "c"), environ)

    assert expected == finding.text
    assert Unavailable is finding.error


@pytest.mark.parametrize(
    ("own", "expected"), [("", "10"), ("300", "10"), ("2.5", "2.5"), ("x", "10")]
)
def test_patience(own, expected):
    """Nobody waits longer than asked for, and nobody longer than set."""
    environ = limited({"STREAMFIT_BROKER_DEADLINE": own, "BATCH": "3"}, 10.0)

    assert expected == environ["STREAMFIT_BROKER_DEADLINE"]
    assert "1" == environ["STREAMFIT_HTTP_ATTEMPTS"]
    assert "3" == environ["BATCH"]
