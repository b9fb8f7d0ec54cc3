"""The real Pushgateway of Prometheus, in a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from attrs import frozen
from prometheus_client.parser import text_string_to_metric_families

COMMAND = (
    Path(__file__).parents[2] / ".oracles/pushgateway/usr/bin/prometheus-pushgateway"
)

USER, PASSWORD = "user", "p@ss:w/rd c4n4ry"
_USERS = f"""\
basic_auth_users:
  {USER}: $2b$04$abcdefghijklmnopqrstuuDi1scxV6RDAk1V34Ipk0cfbzXOaErby
"""
"""The same, as the gateway has it: no password that anybody uses."""

STARTS_WITHIN = 60.0
"""Seconds; it takes none where nobody else works."""

Metrics = dict[tuple[str, ...], float]


def require() -> None:
    """Skip the test where the gateway is not, or fail it where it has to be."""
    if not COMMAND.exists():
        reason = "the Pushgateway is not there: make oracles"
        if os.environ.get("STREAMFIT_REQUIRE_ORACLES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@frozen
class Pushgateway:
    """
    A gateway that runs.

    Attributes:
        url: Where it listens.

        login: Who may ask, if it is not everybody.
    """

    url: str
    login: tuple[str, str] | None = None

    def metrics(self, deployment: str) -> Metrics:
        """Return our metrics of *deployment*, by name and by their own labels."""
        return {
            (name.removeprefix("streamfit_last_"), *own): value
            for (name, whose, own), value in self._samples().items()
            if whose == deployment
        }

    def deployments(self) -> set[str]:
        """Return who has told anything."""
        return {whose for _, whose, _ in self._samples()}

    def text(self) -> str:
        """Return all that it shows to Prometheus."""
        answer = httpx.get(f"{self.url}/metrics", auth=self.login, timeout=30)
        assert 200 == answer.status_code, answer.text
        return answer.text

    def _samples(self) -> dict[tuple[str, str, tuple[str, ...]], float]:
        found = {}
        for family in text_string_to_metric_families(self.text()):
            for sample in family.samples:
                labels = dict(sample.labels)
                if family.name.startswith("streamfit_"):
                    assert "streamfit" == labels.pop("job")
                    assert "" == labels.pop("instance")
                    whose = labels.pop("deployment", "")  # empty ones are left out
                    own = tuple(labels[name] for name in sorted(labels))
                    found[sample.name, whose, own] = sample.value
        return found


@contextmanager
def pushgateway(folder: Path, *, locked: bool = False) -> Iterator[Pushgateway]:
    """Run a gateway that keeps its log in *folder*; *locked* for USER alone."""
    require()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [f"--web.listen-address=127.0.0.1:{port}", "--persistence.file="]
    if locked:
        folder.joinpath("users.yml").write_text(_USERS)
        options.append(f"--web.config.file={folder / 'users.yml'}")
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [COMMAND, *options], cwd=folder, stdout=output, stderr=output
        )
    login = (USER, PASSWORD) if locked else None
    gateway = Pushgateway(f"http://127.0.0.1:{port}", login)
    try:
        _wait(gateway, process, log)
        yield gateway
    finally:
        process.kill()
        process.wait()


def _wait(gateway: Pushgateway, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            gateway.text()
        except httpx.HTTPError:
            assert process.poll() is None, log.read_text()
        else:
            return
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
