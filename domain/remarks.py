"""What a job says of its stream and of the parts that it is shared out in."""

from __future__ import annotations

import logging

from attrs import asdict, evolve

from domain.events import Listener, PartsCut, StreamRead
from domain.intake import Intake
from domain.request import TrainingRequest
from domain.split import Split

log = logging.getLogger(__name__)


def tell_of_parts(
    request: TrainingRequest, split: Split, rows: int, on_event: Listener
) -> None:
    """Say what each part gets, and which were asked for but got no example."""
    on_event(
        PartsCut(
            len(split.training), len(split.validation or ()), len(split.test or ())
        )
    )
    # What 2020's platform calls validation is our test part.
    validation = split.validation or (None if request.test_rate else split.test)
    extra = {
        "examples": rows,
        "validation_rate": request.validation_rate,
        "test_rate": request.test_rate,
    }
    if request.validation_rate > 0 and not validation:
        log.warning("no example is left for validation", extra=extra)
    if request.test_rate > 0 and not split.test:
        log.warning("no example is left for the test", extra=extra)


def log_stream(stream: Intake, request: TrainingRequest, on_event: Listener) -> None:
    """Say what was read, and which stage held the others up."""
    on_event(StreamRead(stream.counts, evolve(stream.seconds)))
    counts = asdict(stream.counts)
    seconds = {stage: round(s, 3) for stage, s in asdict(stream.seconds).items()}
    extra = {"announced": request.total_msg, **counts, "seconds": seconds}
    log.info("stream read", extra=extra)
    if request.total_msg not in {None, stream.counts.examples}:
        log.warning("not as many examples as announced", extra=extra)
