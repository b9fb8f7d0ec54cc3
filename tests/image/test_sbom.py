"""What the image is made of, as `make sbom` says it from the lock files."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from docs.site import ROOT


@pytest.fixture(scope="module")
def bills(tmp_path_factory):
    """Make them; returns their folder."""
    folder = tmp_path_factory.mktemp("sbom")
    made = subprocess.run(
        ["make", "--old-file", "setup", "sbom", f"SBOM={folder}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert 0 == made.returncode, made.stderr
    return folder


@pytest.mark.parametrize("accelerator", ["cpu", "gpu"])
class TestBill:
    @pytest.fixture
    def text(self, bills, accelerator):
        return bills.joinpath(f"sbom-{accelerator}.cdx.json").read_text()

    @pytest.fixture
    def locked(self, accelerator):
        """Return the hashes of each package in the lock file."""
        lock = ROOT.joinpath("requirements", f"{accelerator}.txt").read_text()
        entries = re.split(r"^(?=\w)", lock.replace("\\\n", ""), flags=re.MULTILINE)
        return {
            tuple(re.match(r"([\w.-]+)==([^\s;]+)", entry).groups()): set(
                re.findall(r"--hash=sha256:(\w+)", entry)
            )
            for entry in entries
            if entry
        }

    def test_schema(self, text):
        """It is CycloneDX, to the letter."""
        version = SchemaVersion.from_version(json.loads(text)["specVersion"])

        assert JsonStrictValidator(version).validate_str(text) is None

    def test_packages(self, text, locked):
        """Every locked package with its version and its hashes, and no other."""
        told = {
            (part["name"], part["version"]): {
                entry["content"]
                for reference in part["externalReferences"]
                for entry in reference.get("hashes", ())
            }
            for part in json.loads(text)["components"]
        }

        assert 90 < len(locked)
        assert locked == told

    def test_project(self, text):
        """It is about this version of the project."""
        project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text())["project"]
        root = json.loads(text)["metadata"]["component"]

        assert (project["name"], project["version"]) == (root["name"], root["version"])

    def test_reproducible(self, text):
        """Nothing in it changes from one time to the next."""
        bill = json.loads(text)

        assert "timestamp" not in bill["metadata"]
        assert "serialNumber" not in bill
