"""Whether a job is traced, and what it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.traces.settings import TracesSettings
from bootstrap.settings import load
from bootstrap.tracing import trace_id
from tests.collector import collecting

ROOT = Path(__file__).parents[2]
CANARY = "c4n4ry-in-a-c0al-mine"
ON = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:9"}
PARENT = f"00-{'ab' * 16}-{'cd' * 8}-01"

SCRIPT = """
import json, logging, os, sys
for name in json.loads(sys.argv[2]):
    sys.modules[name] = None  # as if it were not there
from bootstrap import logs
from bootstrap.container import Container
from bootstrap.main import _identifiers
from domain.events import JobEnded

environ = {**os.environ, **json.loads(sys.argv[1])}
os.environ.update(environ)
logs.configure("json", **_identifiers(environ))
container = Container(environ=environ)
listener = container.on_event()
logging.getLogger("native").warning("a word")
listener(JobEnded(0))
container.shutdown_resources()
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""

JOB = {
    "DEPLOYMENT_ID": "7",
    "BATCH": "2",
    "CASE": "1",
    "STREAMFIT_BROKER": "memory",
    "STREAMFIT_BACKEND": "memory",
    "STREAMFIT_ENGINE": "fake",
}


def listen(missing=(), **variables):
    """Have a process make the job's listeners; returns the log, and what it has."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", SCRIPT),
            *(json.dumps({**JOB, **variables}), json.dumps(missing)),
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    return lines, done.stdout.strip()


class TestSwitch:
    @pytest.mark.parametrize(
        "variables",
        [
            {},
            {**ON, "OTEL_SDK_DISABLED": "true"},
            {**ON, "OTEL_TRACES_EXPORTER": "none"},
            {"TRACEPARENT": PARENT},
        ],
    )
    def test_off(self, variables):
        """Nothing of OpenTelemetry is in the memory, nor of it in the log."""
        # FastAPI is what dependency-injector tries, and brings some of it along.
        lines, modules = listen(["fastapi"], **variables)

        assert "[]" == modules
        assert ["a word"] == [line["event"] for line in lines]
        assert "trace_id" not in lines[0]

    def test_on(self):
        """The trace is sent, and the log names it."""
        with collecting() as collector:
            lines, modules = listen(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)

        (job,) = collector.spans
        assert "streamfit" == job.name
        assert "7" == job.attributes["streamfit.deployment"]
        assert [job.trace] == [line["trace_id"] for line in lines]
        assert "opentelemetry" in modules

    def test_not_installed(self):
        """One warning says what to install, and the job goes on."""
        missing = ["opentelemetry.exporter"]

        lines, _ = listen(missing, **ON)

        warning, word = lines
        assert "nothing is traced" == warning["event"]
        assert "pip install 'streamfit[otel]'" in warning["reason"]
        assert "trace_id" not in word

    def test_other_protocol(self):
        """Another protocol is none that is spoken, which the log says."""
        lines, _ = listen(OTEL_EXPORTER_OTLP_PROTOCOL="grpc", **ON)

        warning, word = lines
        assert "only http/protobuf" in warning["reason"]
        assert "trace_id" not in word

    @pytest.mark.parametrize(
        "variables",
        [
            {"OTEL_BSP_MAX_QUEUE_SIZE": "-1"},
            {"OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER": CANARY},
        ],
    )
    def test_broken(self, variables):
        """Settings that the SDK cannot bear are no reason not to train."""
        headers = f"key={CANARY}"

        lines, _ = listen(OTEL_EXPORTER_OTLP_HEADERS=headers, **ON, **variables)

        warning, _ = lines
        assert "nothing is traced" == warning["event"]
        assert warning["reason"]
        assert CANARY not in json.dumps(lines)

    def test_odd(self):
        """What the SDK makes of a malformed header is said without the header."""
        with collecting() as collector:
            lines, _ = listen(
                OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
                OTEL_EXPORTER_OTLP_HEADERS=f"a=b,{CANARY}",
            )

        assert 1 == len(collector.spans)
        assert "traces: a setting is odd" in {line["event"] for line in lines}
        assert CANARY not in json.dumps(lines)


class TestSettings:
    @pytest.mark.parametrize(
        ("variables", "endpoint"),
        [
            ({}, ""),
            (ON, "http://localhost:9/v1/traces"),
            (
                {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:9/otlp/"},
                "http://localhost:9/otlp/v1/traces",
            ),
            ({**ON, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b/x"}, "http://b/x"),
        ],
    )
    def test_endpoint(self, variables, endpoint):
        """The one for traces is taken as it is, the general one is a beginning."""
        settings = load(TracesSettings, variables)

        assert endpoint == settings.endpoint
        assert settings.wanted == bool(endpoint)

    @pytest.mark.parametrize(
        ("variables", "wanted"),
        [
            ({"OTEL_SDK_DISABLED": "TRUE"}, False),
            ({"OTEL_SDK_DISABLED": "yes"}, True),  # only true is true
            ({"OTEL_TRACES_EXPORTER": "none"}, False),
            ({"OTEL_TRACES_EXPORTER": "console, otlp"}, True),
            ({"OTEL_TRACES_EXPORTER": "zipkin"}, False),
            ({"OTEL_TRACES_EXPORTER": ""}, True),
        ],
    )
    def test_wanted(self, variables, wanted):
        """It is switched off as the SDK is."""
        assert wanted == load(TracesSettings, {**ON, **variables}).wanted

    def test_repr(self):
        """What headers hold is not shown by accident."""
        name = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
        settings = load(TracesSettings, {name: "api-key=secret"})

        assert "secret" not in repr(settings)


class TestIdentity:
    def test_off(self):
        """There is none."""
        assert trace_id({}) is None

    def test_own(self):
        """It is this process's, whoever asks."""
        assert trace_id(ON) == trace_id({**ON, "DEPLOYMENT_ID": "7"})
        assert 32 == len(trace_id(ON))
        assert int(trace_id(ON), 16)

    def test_parent(self):
        """Or that of the trace which the job is a part of."""
        assert "ab" * 16 == trace_id({**ON, "TRACEPARENT": PARENT})
