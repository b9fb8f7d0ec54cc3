"""Imports point inwards."""

from __future__ import annotations

import sys

import grimp
from importlinter.cli import lint_imports


def test_import_contracts():
    """The contracts in pyproject.toml are kept."""
    assert 0 == lint_imports(no_cache=True)


def test_domain_and_ports_are_pure():
    """The domain and the ports import the standard library and attrs only."""
    graph = grimp.build_graph(
        "domain", "ports", include_external_packages=True, cache_dir=None
    )
    outside = {name for name in graph.modules if graph.is_module_squashed(name)}

    assert {"attrs"} == outside - sys.stdlib_module_names
