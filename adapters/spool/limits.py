"""How much memory the process may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_memory(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> int:
    """
    Return the bytes that the container allows, or else those that the machine has.

    A control group's limit holds for the groups below it, so the lowest of all levels
    counts.  Inside a container the levels above may be out of sight, or the path may be
    the one that the host sees; what is not there limits nothing.

    Args:
        groups: Where the control groups are mounted.

        own: The file that names the groups of this process.
    """
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *_limits(groups, own)])


def _limits(groups: Path, own: Path) -> Iterator[int]:
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            yield from _levels(groups, path, "memory.max")
        elif "memory" in controllers.split(","):  # version 1
            yield from _levels(groups / "memory", path, "memory.limit_in_bytes")


def _levels(root: Path, path: str, name: str) -> Iterator[int]:
    """Read file *name* of the group at *path* and of all above it, up to *root*."""
    parts = [part for part in PurePosixPath(path).parts if part not in {"/", ".."}]
    for depth in range(len(parts) + 1):
        text = _text(root.joinpath(*parts[:depth], name)).strip()
        if text.isdecimal():  # or "max"
            yield int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
