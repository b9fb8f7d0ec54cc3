"""A Dockerfile as its stages and their instructions, as far as ours goes."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field, frozen

KNOWN = {
    *("ARG", "COPY", "ENTRYPOINT", "ENV", "FROM", "LABEL", "RUN", "USER", "WORKDIR"),
}
"""Whatever else is in a Dockerfile, the tests would have to learn first."""


@frozen
class Instruction:
    """
    One instruction.

    Attributes:
        name: What is to be done.

        text: With what, on one line, as it was written.
    """

    name: str
    text: str

    @property
    def options(self) -> dict[str, str]:
        """What stands before the arguments, like ``--from=build``."""
        return dict(re.findall(r"^--([a-z]+)=(\S+) ", self.text))

    @property
    def arguments(self) -> list[str]:
        """What follows the options."""
        return re.sub(r"^(--\S+ )*", "", self.text).split()

    def pairs(self) -> dict[str, str]:
        """Return what it sets: ``a=b`` as often as you like."""
        return dict(part.split("=", 1) for part in shlex.split(self.text))


@define
class Stage:
    """
    What one FROM begins.

    Attributes:
        base: The image or the stage that it begins with.

        name: Its own name, if it has one.

        instructions: What is done, one after the other.
    """

    base: str
    name: str
    instructions: list[Instruction] = field(factory=list)

    def all(self, name: str) -> list[Instruction]:
        """Return its instructions of one name."""
        return [one for one in self.instructions if one.name == name]

    def only(self, name: str) -> Instruction:
        """Return its one instruction of that name."""
        (one,) = self.all(name)
        return one

    @property
    def entrypoint(self) -> list[str]:
        """The command that it starts."""
        return json.loads(self.only("ENTRYPOINT").text)


@define
class Dockerfile:
    """
    A whole one.

    Attributes:
        defaults: What ARGs before the first stage say.

        stages: The stages, the one that becomes the image last.
    """

    defaults: dict[str, str] = field(factory=dict)
    stages: list[Stage] = field(factory=list)

    @classmethod
    def read(cls, path: Path) -> Dockerfile:
        """Read it, and fail at what nobody here can follow."""
        found = cls()
        for line in _lines(path.read_text()):
            name, _, text = line.partition(" ")
            assert name in KNOWN, f"tests/image cannot follow {name}"
            one = Instruction(name, text.strip())
            if name == "FROM":
                base, *named = one.text.split()
                assert not named or named[0] == "AS"
                found.stages.append(Stage(base, named[-1] if named else ""))
            elif found.stages:
                found.stages[-1].instructions.append(one)
            else:
                assert name == "ARG"
                found.defaults |= one.pairs()
        return found

    @property
    def final(self) -> Stage:
        """The stage that becomes the image."""
        return self.stages[-1]


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put *values* in for ``$NAME`` and ``${NAME}``; others are errors."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda m: values[m[1] or m[2]], text)


def _lines(text: str) -> list[str]:
    """Return the lines that count; those that end with a backslash go on."""
    kept = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(kept).replace("\\\n", "")
    return [re.sub(r"\s+", " ", line).strip() for line in joined.splitlines() if line]
