"""Fetches Apache Kafka, once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"


def fetch() -> Path:
    """Return a folder with Kafka's jars; a second time nothing is downloaded."""
    version = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    jars = CACHE / version
    if jars.exists():
        return jars
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=CACHE, prefix="new-"))
    try:
        subprocess.run(
            [
                *("mvn", "--quiet", "--batch-mode", "--file", str(POM)),
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={fresh}",
            ],
            check=True,
            capture_output=True,
            text=True,
        )
        if not jars.exists():  # another session may have been faster
            fresh.rename(jars)
    except subprocess.CalledProcessError as error:
        raise RuntimeError(f"mvn failed: {error.stdout[-2000:]}") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return jars
