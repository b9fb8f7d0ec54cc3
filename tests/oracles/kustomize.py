"""The real Kustomize, in a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from docs.site import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()
(VERSION,) = re.findall(r"^KUSTOMIZE = (\S+)$", MAKEFILE, re.MULTILINE)
COMMAND = ROOT / ".oracles/kustomize" / VERSION / "kustomize"


def require() -> None:
    """Skip the test where Kustomize is not, or fail it where it has to be."""
    if not COMMAND.exists():
        reason = "Kustomize is not there: make oracles"
        if os.environ.get("STREAMFIT_REQUIRE_ORACLES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


def rendered(folder: Path) -> list[dict[str, object]]:
    """Return the documents that a kustomization makes."""
    done = subprocess.run(
        [COMMAND, "build", folder],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (0, "") == (done.returncode, done.stderr)
    return list(yaml.safe_load_all(done.stdout))
