"""When, where and with what was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def circumstances() -> dict[str, object]:
    """Return what every line of JSON repeats."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "revision": _git("describe", "--always", "--dirty"),
        "cpus": os.cpu_count(),
        "cpu": _cpu(),
        "python": platform.python_version(),
        "confluent-kafka": version("confluent-kafka"),
        "numpy": version("numpy"),
        "fastavro": version("fastavro"),
        **_peers(),
    }


def _git(*arguments: str) -> str:
    done = subprocess.run(  # noqa: S603  # constants
        ["git", *arguments],  # noqa: S607
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _peers() -> dict[str, str]:
    """Read the lock, rather than start Python once more."""
    lock = Path(__file__).parents[1] / "requirements" / "peers.txt"
    pins = (line.split()[0].split("==") for line in lock.open() if "==" in line)
    return {
        name: pin
        for name, pin in pins
        if name in {"kafka-python", "tensorflow-cpu", "tensorflow-io"}
    }
