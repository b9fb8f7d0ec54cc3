"""
dependency-injector, without what it would bring along.

It looks for web frameworks whose parameters it could fill in, and imports those that
it finds.  They are there since MLflow's client needs them, and would cost every job,
tracked or not, 13 MB and a fifth of a second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["containers", "providers"]

_FRAMEWORKS = ("fastapi", "starlette", "werkzeug")


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Have packages that are not imported yet look as if they were not installed."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # see import
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _hidden(*_FRAMEWORKS):
    from dependency_injector import containers, providers
