"""A real MLflow server, in processes of its own, and what it says it was told."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from attrs import define, field

COMMAND = Path(__file__).parents[2] / ".oracles/mlflow/bin/mlflow"

STARTS_WITHIN = 120.0
"""Seconds; it takes eight where nobody else works."""


def require() -> None:
    """Skip the test where MLflow is not, or fail it where it has to be."""
    if not COMMAND.exists():
        reason = "MLflow is not there: make oracles"
        if os.environ.get("STREAMFIT_REQUIRE_ORACLES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@define
class MlflowServer:
    """
    A server that runs, asked by its REST interface alone.

    Attributes:
        url: Where it listens.

        log: What it has written so far.
    """

    url: str
    log: Path
    _client: httpx.Client = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._client = httpx.Client(base_url=self.url, timeout=60)

    def ask(self, path: str, /, **parameters: object) -> dict:
        """Return the answer to GET."""
        answer = self._client.get(f"/api/2.0/mlflow/{path}", params=parameters)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def tell(self, path: str, /, **fields: object) -> dict:
        """Return the answer to POST."""
        answer = self._client.post(f"/api/2.0/mlflow/{path}", json=fields)
        assert 200 == answer.status_code, answer.text
        return answer.json()

    def experiment(self, name: str) -> str:
        """Return the number of the experiment *name*."""
        found = self.ask("experiments/get-by-name", experiment_name=name)
        return found["experiment"]["experiment_id"]

    def runs(self, experiment: str) -> list[Run]:
        """Return the runs of the experiment of that name, the oldest first."""
        found = self.tell(
            "runs/search",
            experiment_ids=[self.experiment(experiment)],
            order_by=["attributes.start_time ASC"],
        )
        return [Run(self, each["info"], each["data"]) for each in found.get("runs", [])]

    def run(self, experiment: str) -> Run:
        """Return the only run of an experiment."""
        (run,) = self.runs(experiment)
        return run

    def files(self, run: str, path: str = "") -> dict[str, bytes]:
        """Return the artifacts of *run*, by their paths."""
        listed = self.ask("artifacts/list", run_id=run, path=path).get("files", [])
        found: dict[str, bytes] = {}
        for each in listed:
            if each["is_dir"]:
                found |= self.files(run, each["path"])
            else:
                found[each["path"]] = self._artifact(run, each["path"])
        return found

    def _artifact(self, run: str, path: str) -> bytes:
        answer = self._client.get(
            "/get-artifact", params={"run_uuid": run, "path": path}
        )
        assert 200 == answer.status_code, answer.text
        return answer.content

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


@define
class Run:
    """
    What a server says of a run.

    Attributes:
        server: Which.

        info: Its name, status and times.

        data: Its latest metrics, parameters and tags.
    """

    server: MlflowServer
    info: Mapping
    data: Mapping

    @property
    def id(self) -> str:
        """Its number."""
        return self.info["run_id"]

    @property
    def status(self) -> str:
        """What has become of it."""
        return self.info["status"]

    @property
    def parameters(self) -> dict[str, str]:
        """What it was made with."""
        return {each["key"]: each["value"] for each in self.data.get("params", [])}

    @property
    def tags(self) -> dict[str, str]:
        """What is said of it."""
        return {each["key"]: each["value"] for each in self.data.get("tags", [])}

    @property
    def metrics(self) -> set[str]:
        """What was measured."""
        return {each["key"] for each in self.data.get("metrics", [])}

    @property
    def files(self) -> dict[str, bytes]:
        """Its artifacts."""
        return self.server.files(self.id)

    def history(self, metric: str) -> list[tuple[int, float]]:
        """Return step and value of everything that was told of *metric*."""
        found = self.server.ask(
            "metrics/get-history", run_id=self.id, metric_key=metric
        )
        told = found.get("metrics", [])
        return sorted((int(each["step"]), float(each["value"])) for each in told)


@contextmanager
def mlflow_server(folder: Path) -> Iterator[MlflowServer]:
    """Run a server that keeps everything in *folder*."""
    require()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [
                *(COMMAND, "server", "--host", "127.0.0.1", "--port", str(port)),
                *("--workers", "1", "--serve-artifacts"),
                *("--backend-store-uri", f"sqlite:///{folder / 'runs.db'}"),
                *("--artifacts-destination", folder / "artifacts"),
            ],
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": "",
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # six processes more
            },
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = MlflowServer(f"http://127.0.0.1:{port}", log)
    try:
        _wait(server, process)
        yield server
    finally:
        server.close()
        with suppress(ProcessLookupError):  # it leads a group of its own
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(server: MlflowServer, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            if 200 == httpx.get(f"{server.url}/health", timeout=10).status_code:
                return
        except httpx.HTTPError:
            assert process.poll() is None, server.log.read_text()
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.2)
