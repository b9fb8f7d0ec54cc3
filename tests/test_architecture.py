"""Imports point inwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]


def test_import_contracts():
    """The contracts in pyproject.toml are kept."""
    linter = Path(sys.executable).parent / "lint-imports"
    # A process of its own: it switches off the loggers of the one that it runs in.
    linted = subprocess.run(
        [linter, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert 0 == linted.returncode, linted.stdout


def test_domain_and_ports_are_pure():
    """The domain and the ports import the standard library and attrs only."""
    graph = grimp.build_graph(
        "domain", "ports", include_external_packages=True, cache_dir=None
    )
    outside = {name for name in graph.modules if graph.is_module_squashed(name)}

    assert {"attrs"} == outside - sys.stdlib_module_names
