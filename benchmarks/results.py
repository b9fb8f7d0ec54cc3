"""Every single run, as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from attrs import frozen


@frozen
class Results:
    """
    A file that grows.

    Attributes:
        path: Where it is; its folder is none of git's business.
    """

    path: Path

    def add(self, line: Mapping[str, object]) -> None:
        """Append a line."""
        if not self.path.parent.exists():
            self.path.parent.mkdir(parents=True)
            self.path.with_name(".gitignore").write_text("*\n", encoding="ascii")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(f"{json.dumps(line)}\n")
