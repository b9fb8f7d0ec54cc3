"""
An image from a Dockerfile, in a folder.

Every instruction is carried out as it stands, below a root of its own: where the base
image has its system and its Python, this machine's are bound, read-only, with a virtual
environment as ``/usr/local``.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import Factory, define, field, frozen

from tests.image.dockerfile import Dockerfile, Instruction, Stage, filled

ROOM = Path(__file__).with_name("room.py")
PYTHON = Path(sys.base_prefix)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OUTSIDE = ("PIP_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""Of this machine's variables, those that say how packages are reached."""


@frozen
class Layer:
    """
    What a stage has made.

    Attributes:
        root: Its files, but for those of the base image.

        local: Its ``/usr/local``.

        environ: What ENV has set.

        workdir: Where commands start.
    """

    root: Path
    local: Path
    environ: dict[str, str] = Factory(lambda: {"PATH": PATH})
    workdir: list[str] = Factory(lambda: ["/"])


@frozen
class Image:
    """
    The image.

    Attributes:
        layer: Its files and what is set in it.

        entrypoint: What it starts.

        labels: What it says of itself.

        user: Who it runs as, if nobody says anything.

        folder: Where plans of rooms go.
    """

    layer: Layer
    entrypoint: list[str]
    labels: dict[str, str]
    user: str
    folder: Path

    def command(
        self,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        given: Path | None = None,
        keep: Path | None = None,
        terminated: Path | None = None,
        entrypoint: Sequence[str] | None = None,
        user: int = 61234,
        tmpfs: str = "64m",
    ) -> list[str | Path]:
        """
        Return what runs it as Kubernetes would with all that can be forbidden.

        Args:
            arguments: What follows the entry point.

            environ: Variables besides those of the image.

            given: File that is there, read-only, below ``/data``.

            keep: Where the writable folder's content goes in the end.

            terminated: File that is ``/dev/termination-log``.

            entrypoint: Instead of the image's own.

            user: Number of a user, whom ``/etc/passwd`` does not know.

            tmpfs: How large the one writable folder is.
        """
        log = [] if terminated is None else [(str(terminated), "/dev/termination-log")]
        data = [] if given is None else [(str(given), f"/data/{given.name}")]
        plan = {
            "command": [*(entrypoint or self.entrypoint), *arguments],
            "environ": {**self.layer.environ, **(environ or {})},
            "keep": str(keep or ""),
            "read_only": [(str(self.layer.local), "/usr/local"), *_python(), *data],
            "root": str(self.layer.root),
            "tmpfs": tmpfs,
            "user": user,
            "workdir": self.layer.workdir[0],
            "writable": log,
        }
        return _room(plan, self.folder)


@define
class Builder:
    """
    What ``docker build`` does.

    Attributes:
        context: The folder that is sent.

        folder: Where the stages go.

        arguments: What ``--build-arg`` says.
    """

    context: Path
    folder: Path
    arguments: dict[str, str] = field(factory=dict)
    _layers: dict[str, Layer] = field(factory=dict)
    _defaults: dict[str, str] = field(factory=dict)

    def build(self, dockerfile: Dockerfile) -> Image:
        """Carry out all its stages."""
        self._defaults = dockerfile.defaults | self.arguments
        for number, stage in enumerate(dockerfile.stages):
            layer, labels = self._stage(stage, self.folder / str(number))
        user = dockerfile.final.only("USER").text
        entrypoint = dockerfile.final.entrypoint
        return Image(layer, entrypoint, labels, user, self.folder)

    def _stage(self, stage: Stage, folder: Path) -> tuple[Layer, dict[str, str]]:
        layer = self._begin(stage.base, folder)
        self._layers[stage.name] = layer
        values: dict[str, str] = {}
        labels: dict[str, str] = {}
        for one in stage.instructions:
            known = {**values, **layer.environ}
            match one.name:
                case "ARG":
                    values |= one.pairs() | {
                        name: given
                        for name, given in self._defaults.items()
                        if name in one.pairs()
                    }
                case "ENV":
                    for name, value in one.pairs().items():
                        layer.environ[name] = filled(value, known)
                case "LABEL":
                    labels |= {
                        name: filled(value, known)
                        for name, value in one.pairs().items()
                    }
                case "WORKDIR":
                    layer.workdir[0] = one.text
                    _below(layer, one.text).mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(one, layer, known)
                case "RUN":
                    assert one.text[0] != "[", "tests/image cannot follow that RUN"
                    self._run(["/bin/sh", "-c", one.text], layer, known)
        return layer, labels

    def _begin(self, base: str, folder: Path) -> Layer:
        """Begin with what another stage has made, or with the base image."""
        layer = Layer(folder / "root", folder / "local")
        if earlier := self._layers.get(base):
            _link(earlier.root, layer.root)
            _link(earlier.local, layer.local)
            layer.environ.update(earlier.environ)
            layer.workdir[0] = earlier.workdir[0]
            return layer
        assert filled(base, self._defaults).startswith("python:3.")
        layer.root.mkdir(parents=True)
        layer.local.mkdir()
        self._run([PYTHON / "bin/python3", "-m", "venv", "/usr/local"], layer, {})
        return layer

    def _copy(self, one: Instruction, layer: Layer, known: Mapping[str, str]) -> None:
        *sources, target = (filled(each, known) for each in one.arguments)
        folder = layer.root / layer.workdir[0].strip("/") / target.strip("/")
        if target.startswith("/"):
            folder = _below(layer, target)
        for source in sources:
            if stage := one.options.get("from"):
                found = _below(self._layers[stage], source)
            else:
                found = sent(self.context, source)
            inside = target.endswith("/") or target == "."
            place = folder / found.name if inside and found.is_file() else folder
            place.parent.mkdir(parents=True, exist_ok=True)
            _link(found, place)

    def _run(
        self, command: Sequence[str | Path], layer: Layer, values: Mapping[str, str]
    ) -> None:
        outside = {k: v for k, v in os.environ.items() if k.startswith(OUTSIDE)}
        plan = {
            "command": [str(word) for word in command],
            "environ": {"HOME": "/root", **outside, **layer.environ, **values},
            "keep": "",
            "read_only": _python(),
            "root": str(layer.root),
            "tmpfs": "",
            "user": 0,
            "workdir": layer.workdir[0],
            "writable": [(str(layer.local), "/usr/local")],
        }
        _below(layer, "/tmp").mkdir(exist_ok=True)
        done = subprocess.run(
            _room(plan, self.folder),
            capture_output=True,
            text=True,
            timeout=1200,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr


def sent(context: Path, source: str) -> Path:
    """Return what COPY takes from the context, unless .dockerignore holds it back."""
    first, *others = (context / ".dockerignore").read_text().split()
    assert "*" == first
    let_through = {each[1:] for each in others if each.startswith("!")}
    assert {"**/__pycache__"} == {each for each in others if each[0] != "!"}
    assert {source, source.partition("/")[0]} & let_through, source
    return context / source


def _python() -> list[tuple[str, str]]:
    """Bind this machine's Python where it is, unless it comes with the system."""
    return [] if PYTHON.is_relative_to("/usr") else [(str(PYTHON), str(PYTHON))]


def _below(layer: Layer, path: str) -> Path:
    """Return where *path* of a stage is."""
    assert path.startswith("/"), path
    assert not path.startswith("/usr"), f"tests/image cannot follow {path}"
    return layer.root / path.strip("/")


def _link(source: Path, target: Path) -> None:
    """Copy, but share the contents: pip never writes into a file that is there."""
    if source.is_file():
        shutil.copy2(source, target)
        return
    shutil.copytree(
        source,
        target,
        symlinks=True,
        copy_function=os.link,
        ignore=shutil.ignore_patterns("__pycache__") if _is_ours(source) else None,
        dirs_exist_ok=True,
    )


def _is_ours(source: Path) -> bool:
    """Whether it is a folder of the sources, of which no bytecode is sent."""
    return source.name in {"domain", "ports", "adapters", "bootstrap"}


def _room(plan: Mapping[str, object], folder: Path) -> list[str | Path]:
    """Write the plan, and return what carries it out."""
    path = folder / f"plan-{len(list(folder.glob('plan-*')))}.json"
    path.write_text(json.dumps(plan))
    return [sys.executable, ROOM, path]
