"""A run at the server, by MLflow's own client."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import singledispatchmethod
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field

from adapters.tracking.errors import Away, Refused
from adapters.tracking.items import Begin, End, Item, Model, Point, Points, Report
from adapters.tracking.settings import MlflowSettings

LONGEST_NAME, LONGEST_PARAMETER, LONGEST_TAG = 250, 6000, 5000
"""Characters that MLflow takes, on whatever it keeps them."""

_PROCESS = "streamfit.process"
_IDENTITY = "streamfit.identity"

_NO_NAME = re.compile(r"[^\w\-. :/]")
"""What MLflow takes in no name."""

_LATER = {408, 425, 429, *range(500, 600)}
"""HTTP statuses after which it is worth another try."""


@define(eq=False)
class Runs:
    """
    Tells a server of run after run; for one thread.

    Attributes:
        client: MLflow's own.

        settings: Which experiment and which run.

        resumes: Whether a training goes on where another process was.
    """

    client: Any
    settings: MlflowSettings
    resumes: bool
    _process: str = field(factory=lambda: uuid.uuid4().hex, init=False)
    _tried: bool = field(default=False, init=False)
    _run: str | None = field(default=None, init=False)
    _artifacts: str = field(default="", init=False)
    _before: frozenset[str] = field(default=frozenset(), init=False)
    _steps: dict[str, int] = field(factory=dict, init=False)

    def tell(self, item: Item) -> None:
        """
        Tell the server of *item*; once more does no harm.

        Raises:
            Away: The server cannot be reached, or is not well.

            Refused: It does not take that.
        """
        with _answered():
            self._tell(item)

    @singledispatchmethod
    def _tell(self, item: Item) -> None:
        raise NotImplementedError(item)

    @_tell.register
    def _(self, item: Begin) -> None:
        self._run, self._steps = None, {}
        run = self._found(item) or self.client.create_run(
            self._experiment(),
            start_time=item.when,
            run_name=item.name,
            tags={_IDENTITY: item.identity, _PROCESS: self._process},
        )
        number = run.info.run_id
        self._before = frozenset(run.data.metrics)
        self._artifacts = run.info.artifact_uri
        if run.info.status != "RUNNING":
            self.client.update_run(number, "RUNNING")
        known = run.data.params  # they cannot be changed
        self.client.log_batch(
            number,
            params=_params(
                {k: v for k, v in item.parameters.items() if _name(k) not in known}
            ),
            tags=_tags({**item.tags, _IDENTITY: item.identity}),
        )
        self._run, self._tried = number, False

    @_tell.register
    def _(self, item: Points) -> None:
        run = self._begun()
        new = [each for each in item.points if each.step > self._latest(run, each)]
        if new:
            self.client.log_batch(run, metrics=_metrics(new))

    @_tell.register
    def _(self, item: Model) -> None:
        for path in sorted(item.folder.iterdir()):
            self.client.log_artifact(self._place(), str(path), "model")

    @_tell.register
    def _(self, item: End) -> None:
        run = self._begun()
        self.client.log_batch(run, tags=_tags(item.tags))
        self.client.set_terminated(run, item.status, item.when)

    @_tell.register
    def _(self, item: Report) -> None:
        for name, text in item.texts().items():
            self.client.log_text(self._place(), text, f"report/{name}")

    def _begun(self) -> str:
        if self._run is None:
            raise Refused("there is no run")
        return self._run

    def _place(self) -> str:
        """Return the run, if its artifacts can go anywhere."""
        remote = (self.settings.mlflow_tracking_uri or "").startswith("http")
        if remote and urlsplit(self._artifacts).scheme in {"", "file"}:
            raise Refused(
                f"artifacts are kept in a folder of the server's own machine, "
                f"{self._artifacts}: let it run with --serve-artifacts"
            )
        return self._begun()

    def _experiment(self) -> str:
        """Return the number of the experiment, which is made if it is not there."""
        name = self.settings.mlflow_experiment_name
        if self.settings.mlflow_experiment_id is not None:
            return self.settings.mlflow_experiment_id
        if (found := self.client.get_experiment_by_name(name)) is not None:
            return str(found.experiment_id)
        try:
            return str(self.client.create_experiment(name))
        except Exception:
            # Another job may have been faster.
            if (found := self.client.get_experiment_by_name(name)) is None:
                raise
            return str(found.experiment_id)

    def _found(self, item: Begin) -> Any:
        """Return the run that is there already, if one is."""
        if self.settings.mlflow_run_id is not None:
            return self.client.get_run(self.settings.mlflow_run_id)
        wanted = []
        if self._tried:  # the answer to its making may have been lost
            wanted.append(f"tags.`{_PROCESS}` = '{self._process}'")
        if self.resumes:
            wanted.append("attributes.status != 'FINISHED'")
        self._tried = True
        for condition in wanted:
            query = f"tags.`{_IDENTITY}` = '{item.identity}' and {condition}"
            order = ["attributes.start_time DESC"]
            if runs := self.client.search_runs(
                [self._experiment()], query, max_results=1, order_by=order
            ):
                return runs[0]
        return None

    def _latest(self, run: str, point: Point) -> int:
        """Return the step up to which an earlier process has told of this metric."""
        name = _name(point.name)
        if name not in self._before:
            return -1
        if name not in self._steps:
            told = self.client.get_metric_history(run, name)
            self._steps[name] = max(one.step for one in told)
        return self._steps[name]


@contextmanager
def _answered() -> Iterator[None]:
    """Say what an error of MLflow's client means."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except MlflowException as error:
        raise _meaning(error, error.get_http_status_code()) from error
    except OSError as error:  # that of artifacts' requests is one
        if not hasattr(error, "response"):
            raise Refused(str(error)) from error
        status = getattr(error.response, "status_code", 503)
        raise _meaning(error, status) from error


def _meaning(error: Exception, status: int) -> Away | Refused:
    return (Away if status in _LATER else Refused)(str(error))


def _name(name: str) -> str:
    return _NO_NAME.sub("_", name)[:LONGEST_NAME]


def _params(values: Mapping[str, str]) -> list[Any]:
    from mlflow.entities import Param

    return [Param(_name(k), v[:LONGEST_PARAMETER]) for k, v in values.items()]


def _tags(values: Mapping[str, str]) -> list[Any]:
    from mlflow.entities import RunTag

    return [RunTag(_name(k), v[:LONGEST_TAG]) for k, v in values.items()]


def _metrics(points: Sequence[Point]) -> list[Any]:
    from mlflow.entities import Metric

    return [
        Metric(_name(each.name), each.value, each.when, each.step) for each in points
    ]
