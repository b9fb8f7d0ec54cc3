"""The image runs with all that can be forbidden, and does what the job here does."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import tomllib
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from docs.site import ROOT
from tests.broker.topics import KafkaTopics
from tests.end_to_end.platform import message, raw
from tests.end_to_end.process import run, running
from tests.end_to_end.test_current import RAW_DIGITS, digits

pytestmark = pytest.mark.timeout(900)  # seconds; whoever comes first builds it

PROBE = Path(__file__).with_name("probe.py")


@pytest.fixture(scope="module")
def project():
    """Return what pyproject.toml says of the project."""
    return tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["project"]


@pytest.fixture
def announced(sender):
    """Send the digits and announce them; returns how many."""
    ranges = sender.send(raw(*digits()))
    sender.announce(message(ranges, 150, input_config=RAW_DIGITS))
    return 150


def call(image, *arguments, **options):
    """Run a command in the image to its end."""
    return subprocess.run(
        image.command(*arguments, **options),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def installed(image):
    """Return name and version of every distribution in the image."""
    script = (
        "from importlib.metadata import distributions as d; "
        "print(*(f'{each.name}=={each.version}' for each in d()))"
    )
    done = call(image, "-c", script, entrypoint=["python"])
    assert 0 == done.returncode, done.stderr
    return {normal(each) for each in done.stdout.split()}


def normal(requirement):
    """Write a name as all of them can be compared."""
    name, _, version = requirement.partition("==")
    return re.sub(r"[-_.]+", "-", name).lower(), version


class TestRoom:
    def test_forbidden(self, image):
        """One folder is writable; no capabilities, and a user without a name."""
        done = call(image, "-c", PROBE.read_text(), entrypoint=["python"])

        assert {
            "writable": ["/tmp"],
            "capabilities": 0,
            "no new privileges": "1",
            "process": 1,
            "known": False,
            "user": "streamfit",
        } == json.loads(done.stdout)

    def test_limited(self, image):
        """That folder has an end."""
        script = "open('/tmp/large', 'wb').write(bytes(2 << 20))"

        done = call(image, "-c", script, entrypoint=["python"], tmpfs="1m")

        assert "No space left" in done.stderr


class TestDockerfile:
    def test_user(self, image):
        """A number, which Kubernetes can tell from root's."""
        user, _, group = image.user.partition(":")

        assert 0 < int(user)
        assert 0 < int(group)

    def test_labels(self, image, project):
        """They say what it is, and which one."""
        prefix = "org.opencontainers.image."

        assert {
            prefix + "title": project["name"],
            prefix + "description": project["description"],
            prefix + "licenses": project["license"],
            prefix + "version": project["version"],
            prefix + "revision": "unknown",
        } == image.labels

    def test_entrypoint(self, image, project):
        """It is the project's command, without a shell."""
        assert [*project["scripts"]] == image.entrypoint

    def test_sent(self, dockerfile):
        """What .dockerignore lets through is what is copied, and nothing besides."""
        ignored = ROOT.joinpath(".dockerignore").read_text().split()
        copied = {
            source.partition("/")[0]
            for stage in dockerfile.stages
            for one in stage.all("COPY")
            if not one.options
            for source in one.arguments[:-1]
        }

        assert copied == {line[1:] for line in ignored if line.startswith("!")}


class TestContents:
    def test_packages(self, image, project):
        """What the lock file names for this platform, our wheel, and no tool."""
        lock = ROOT.joinpath("requirements/cpu.txt").read_text()
        entries = re.findall(r"^[\w.-]+==[^\s;]+", lock, re.MULTILINE)
        locked = {normal(each) for each in entries}

        found = installed(image)

        ours = (project["name"], project["version"])
        assert ours in found
        assert found - {ours} <= locked
        names = {name for name, _ in found}
        wanted = {"mlflow-skinny", "opentelemetry-sdk", "pyarrow", "tensorflow"}
        assert wanted < names
        assert not {"pip", "cyclonedx-bom", "pytest"} & names

    def test_wheel(self, image):
        """It has the four packages, with the files that are no code."""
        (record,) = image.layer.root.glob(
            "opt/streamfit/lib/python3*/site-packages/streamfit-*.dist-info/RECORD"
        )
        files = {row[0] for row in csv.reader(record.read_text().splitlines())}
        tops = {name.partition("/")[0] for name in files if name[0] != "."}

        assert {"domain", "ports", "adapters", "bootstrap", record.parent.name} == tops
        assert {name for name in files if name[0] == "."} == {"../../../bin/streamfit"}
        told = {n for n in files if n[0] != "." and "__pycache__" not in n}
        sources = {
            str(path.relative_to(ROOT))
            for top in ("domain", "ports", "adapters", "bootstrap")
            for path in (ROOT / top).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert sources == {name for name in told if not name.startswith("streamfit-")}
        assert {".h5", ".html"} < {name[name.rindex(".") :] for name in sources}

    def test_bytecode(self, image):
        """Nothing has to be compiled at every start."""
        script = "import bootstrap.main, bootstrap.container, mlflow, tensorflow"

        done = call(image, "-v", "-c", script, entrypoint=["python"])

        assert 0 == done.returncode, done.stderr[-2000:]
        lines = done.stderr.splitlines()
        loaded = [
            line.rpartition(" ")[2].strip("'")
            for line in lines
            if line.startswith("# code object from ")
        ]
        assert 1000 < len(loaded)
        assert [] == [path for path in loaded if not path.endswith(".pyc")]

    def test_bill_of_materials(self, image, project):
        """The image says what is in it: every distribution, with its licence."""
        path = image.layer.root / "opt/streamfit/share/sbom.cdx.json"
        text = path.read_text()

        bill = json.loads(text)

        version = SchemaVersion.from_version(bill["specVersion"])
        assert JsonStrictValidator(version).validate_str(text) is None
        parts = bill["components"]
        named = {normal(f"{each['name']}=={each['version']}") for each in parts}
        root = bill["metadata"]["component"]
        assert (project["name"], project["version"]) == (root["name"], root["version"])
        assert installed(image) == named | {(root["name"], root["version"])}
        silent = {each["name"] for each in parts if not each.get("licenses")}
        assert silent <= {"namex"}  # whose own metadata do not say


@pytest.mark.kafka
class TestJob:
    def test_help(self, image):
        """The command line is there."""
        done = call(image, "--help")

        assert (0, "") == (done.returncode, done.stderr)
        assert "send" in done.stdout

    def test_whole_job(self, image, backend, announced, variables, tmp_path):
        """It trains what the same job trains here, to the last bit."""
        variables = {**variables, "RESULT_URL": backend.url}
        run(variables)
        result, trained = backend.results.pop(), backend.trained
        terminated = tmp_path / "termination-log"
        terminated.touch()
        terminated.chmod(0o666)
        folders = {
            "STREAMFIT_REPORT_DIR": "/tmp/reports",
            "STREAMFIT_STATE_DIR": "/tmp/state",
        }
        command = image.command(
            environ={**variables, **folders},
            keep=tmp_path / "kept",
            terminated=terminated,
        )

        with running({}, command) as job:
            assert 0 == job.wait(240), job.lines

        assert trained == backend.trained
        (told,) = backend.results
        assert without_times(result) == without_times(told)
        assert announced == json.loads(terminated.read_text())["rows"]
        assert [] == job.foreign
        assert [] == [line for line in job.lines if line["level"] != "info"]
        kept = tmp_path / "kept"
        assert [".html", ".json"] == sorted(p.suffix for p in kept.glob("reports/*"))
        assert list(kept.glob("state/*"))

    def test_check(self, image, backend, announced, variables):
        """Everything that the job needs is there."""
        environ = {**variables, "RESULT_URL": backend.url}

        done = call(image, "check", "--json", environ=environ)

        assert "" == done.stderr
        assert 0 == json.loads(done.stdout)["exit_code"], done.stdout
        assert 0 == done.returncode

    def test_send(self, image, kafka, sender, tmp_path):
        """The libraries that read files of data are there."""
        table = tmp_path / "table.csv"
        table.write_text("a,b,label\n" + "0.5,1.5,1\n" * 20)

        done = call(
            *(image, "send", "/data/table.csv", "--topic", sender.topic),
            *("--deployment", "7", "--control-topic", sender.control),
            *("--bootstrap-servers", kafka),
            given=table,
        )

        assert 0 == done.returncode, done.stderr
        (body,) = KafkaTopics(kafka).messages(sender.control)
        assert 20 == json.loads(body.value())["total_msg"]

    def test_stopped(self, image, backend, variables):
        """SIGTERM reaches the job through process 1."""
        command = image.command(environ={**variables, "RESULT_URL": backend.url})

        with running({}, command) as job:
            job.wait_for("waiting for a control message")
            job.process.send_signal(signal.SIGTERM)
            code = job.wait()

        assert 143 == code
        assert [] == job.foreign

    def test_nothing_writable(self, image, variables):
        """Without that one folder, the job says which one it wants."""
        environ = {**variables, "RESULT_URL": "http://localhost:9/results/3"}
        command = image.command(environ=environ, tmpfs="64m,ro")

        with running({}, command) as job:
            code = job.wait()

        assert 78 == code
        (line,) = job.logged("job failed")
        assert "TMPDIR" in line["reason"]
        assert [] == job.foreign


def without_times(result):
    """Leave out what is never the same twice."""
    return {name: value for name, value in result.items() if "time" not in name}
