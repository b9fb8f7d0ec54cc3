"""What every job does around its training: wait for a message, hand in one result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from domain.errors import RequestRejected, Unavailable
from domain.events import (
    Listener,
    RequestSkipped,
    ResultDelivered,
    ResultMade,
    RunBegan,
)
from domain.phases import Phase
from domain.report import TrainingReport
from domain.request import ControlMessage, DeploymentId, TrainingRequest
from ports import ControlSource, Journal, ResultSink, Run

log = logging.getLogger(__name__)


def serve_first(
    source: ControlSource,
    deployment_id: DeploymentId,
    serve: Callable[[ControlMessage], TrainingReport],
    on_event: Listener,
) -> TrainingReport:
    """
    Work through the control topic until one message for *deployment_id* was served.

    Args:
        source: The control topic.

        deployment_id: Whose messages are meant.

        serve: Does what a message asks for; RequestRejected skips it.

        on_event: Is told what happens.

    Raises:
        Unavailable: The topic has ended, or a broker or back-end stayed away.
    """
    log.info("waiting for a control message")
    for message in source.messages():
        if message.deployment_id != deployment_id:
            continue
        log.info("control message received", extra={"position": message.position})
        try:
            return serve(message)
        except RequestRejected as reason:
            log.warning(
                "control message skipped",
                extra={"position": message.position, "reason": str(reason)},
            )
            on_event(RequestSkipped(message.position, str(reason)))
    raise Unavailable("the control topic ended")


def begin_run(
    journal: Journal, name: str, request: TrainingRequest, on_event: Listener
) -> Run:
    """
    Open the run called *name*, of *request*.

    Raises:
        Unavailable: It cannot be opened.
    """
    on_event(Phase.OPENING)
    run = journal.run(name)
    on_event(RunBegan(name, request))
    return run


def hand_in_once(
    run: Run,
    train: Callable[[], tuple[TrainingReport, Path]],
    sink: ResultSink,
    on_event: Listener,
) -> TrainingReport:
    """
    Deliver the result of *run*, whatever was done about it before.

    Args:
        run: What is kept of it.

        train: Makes the result, if there is none yet.

        sink: Takes it.

        on_event: Is told what happens.
    """
    if run.delivered is not None:
        log.info("result was delivered before")
        return run.delivered
    result = run.outbox()
    if result is None:
        try:
            trained = train()
        except RequestRejected:
            run.abandon()
            raise
        on_event(ResultMade(trained[0]))
        on_event(Phase.KEEPING)
        result = _made_safe(run, *trained)
    else:
        log.info("trained before: the result is delivered now")
    report, model = result
    on_event(Phase.DELIVERING)
    sink.deliver(report, model)
    on_event(ResultDelivered(report, model))
    on_event(Phase.FINISHING)
    try:
        run.finish(report)
    except Unavailable as reason:
        log.warning("delivery not noted", extra={"reason": str(reason)})
    log.info("result delivered", extra={"training_time": report.training_time})
    on_event(Phase.DONE)
    return report


def _made_safe(
    run: Run, report: TrainingReport, model: Path
) -> tuple[TrainingReport, Path]:
    """Keep a result until it is delivered; it is delivered if that fails, too."""
    try:
        kept = run.put_into_outbox(report, model)
    except Unavailable as reason:
        log.warning("result is not safe", extra={"reason": str(reason)})
        return report, model
    log.info("result is safe")
    return kept
