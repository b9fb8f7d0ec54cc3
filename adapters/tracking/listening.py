"""Who hears what happens and has it tracked."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field, frozen

from adapters.tracking import library
from adapters.tracking.items import (
    Begin,
    End,
    Item,
    Model,
    Point,
    Points,
    Report,
    Status,
)
from adapters.tracking.runs import Runs
from adapters.tracking.sending import AFTER_SIGNAL, Sender
from adapters.tracking.settings import MlflowSettings
from adapters.tracking.wording import run_name, said, tags
from domain.events import (
    EpochEnded,
    Event,
    ExamplesLabelled,
    JobEnded,
    Listener,
    MiniBatchTrained,
    RequestSkipped,
    ResultDelivered,
    ResultMade,
    RunBegan,
)
from domain.phases import Phase
from domain.report import Metrics, TrainingReport

log = logging.getLogger(__name__)

_STOPPED = {130, 143}
"""Exit codes of jobs that were told to stop."""


@frozen
class About:
    """
    What is said of a job that is no part of what happens.

    Attributes:
        deployment: The deployment's number.

        tags: What tells the job from others.

        parameters: What it is made with, secrets masked.

        report: Makes the files of the report, by their names.

        hide: Takes the secrets out of a text.
    """

    deployment: str
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    report: Callable[[], Mapping[str, str]]
    hide: Callable[[str], str] = str


@contextmanager
def tracking(
    settings: MlflowSettings, about: About, *, resumes: bool
) -> Iterator[Listener]:
    """
    Track the job as long as this lasts; the value is to hear of everything.

    Args:
        settings: Where; with an address.

        about: What is said of the job.

        resumes: Whether it goes on where another process was.
    """
    patience = settings.streamfit_mlflow_patience

    def connect() -> Runs:
        client = library.client(settings.mlflow_tracking_uri or "", patience)
        return Runs(client, settings, resumes)

    sender = Sender(connect, about.hide)
    with tempfile.TemporaryDirectory(
        prefix="streamfit-tracking-", ignore_cleanup_errors=True
    ) as folder:
        yield Tracker(about, sender, Path(folder), patience)


@define(eq=False)
class Tracker:
    """
    A listener that has everything tracked that is worth it.

    A run begins once something is done about a request: one whose result was delivered
    before has its run.

    Attributes:
        about: What is said of the job.

        sender: Takes what is to be sent.

        folder: For models that are on their way.

        patience: Seconds that the end of the job may take.

        clock: Seconds since 1970.
    """

    about: About
    sender: Sender
    folder: Path
    patience: float
    clock: Callable[[], float] = time.time
    _request: RunBegan | None = field(default=None, init=False)
    _running: bool = field(default=False, init=False)
    _tested: bool = field(default=False, init=False)
    _models: int = field(default=0, init=False)

    def __call__(self, event: Event) -> None:
        """Have *event* sent, if it is of interest."""
        match event:
            case RunBegan():
                self._request = event
            case Phase():
                self._begin(event)
            case EpochEnded() | MiniBatchTrained() | ExamplesLabelled():
                self._log(event.number, _metrics(event))
            case ResultMade():
                self._test(event.report)
            case ResultDelivered():
                self._test(event.report)
                self._take(event.model)
            case RequestSkipped():
                self._request = None
                self._end("FAILED", {"streamfit.reason": event.reason})
            case JobEnded():
                self._finish(event)
            case _:
                pass

    def _put(self, item: Item) -> None:
        if self._running:
            self.sender.put(item)

    def _begin(self, phase: Phase | None) -> None:
        """Begin a run for what is about to be done."""
        if self._request is None or phase is Phase.OPENING:
            return
        identity, request = self._request.identity, self._request.request
        self._request, self._running, self._tested = None, True, False
        parameters = {**said(request), **self.about.parameters}
        self._put(
            Begin(
                identity,
                run_name(self.about.deployment, identity),
                {**self.about.tags, **tags(request)},
                {name: self.about.hide(text) for name, text in parameters.items()},
                self._now(),
            )
        )

    def _log(self, step: int, metrics: Metrics) -> None:
        when = self._now()
        points = (Point(name, value, step, when) for name, value in metrics.items())
        self._put(Points(tuple(points)))

    def _test(self, report: TrainingReport) -> None:
        """Tell of what came of the training, once."""
        if self._tested or report.indefinite:
            return
        self._tested = True
        tested = {f"test_{name}": value for name, value in report.test.items()}
        seconds = {"training_time": report.training_time}
        self._log(len(report.history), {**tested, **seconds})

    def _take(self, model: Path | None) -> None:
        """Keep *model* until it is sent: who delivers it may remove it at once."""
        if model is None or not self._running:
            return
        self._models += 1
        place = self.folder / str(self._models)
        try:
            place.mkdir()
            if model.is_dir():
                shutil.copytree(
                    model, place, dirs_exist_ok=True, copy_function=_link_or_copy
                )
            else:
                _link_or_copy(model, place / f"trained_model{model.suffix}")
        except OSError as reason:
            log.warning(
                "trained model is not tracked",
                extra={"reason": f"{place}: {reason.strerror or reason}"},
            )
            shutil.rmtree(place, ignore_errors=True)
        else:
            self._put(Model(place))

    def _end(self, status: Status, told: Mapping[str, str]) -> None:
        tags = {name: self.about.hide(text) for name, text in told.items() if text}
        self._put(End(status, tags, self._now()))
        self._running = False

    def _finish(self, event: JobEnded) -> None:
        if event.code:
            self._begin(None)
        if not self._running:
            self.sender.finish(self.patience)
            return
        stopped = event.code in _STOPPED
        status: Status = "FAILED" if event.code else "FINISHED"
        code, report = str(event.code), Report(self.about.report)
        sent = {"streamfit.exit_code": code, "streamfit.reason": event.reason}
        self._end("KILLED" if stopped else status, sent)
        self.sender.put(report)
        self.sender.finish(
            min(self.patience, AFTER_SIGNAL) if stopped else self.patience
        )

    def _now(self) -> int:
        return int(self.clock() * 1000)


def _metrics(event: EpochEnded | MiniBatchTrained | ExamplesLabelled) -> Metrics:
    match event:
        case EpochEnded(metrics=metrics):
            held_out = metrics.validation.items()
            validation = {f"val_{name}": value for name, value in held_out}
            return {**metrics.training, **validation}
        case MiniBatchTrained(rows=rows, value=value):
            monitored = {} if value is None else {"mini_batch_metric": value}
            return {"mini_batch_examples": rows, **monitored}
        case ExamplesLabelled(labelled=labelled, remaining=remaining):
            return {"labelled": labelled, "unlabelled": remaining}


def _link_or_copy(source: str | Path, target: str | Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another device, or one without links
        shutil.copyfile(source, target)
