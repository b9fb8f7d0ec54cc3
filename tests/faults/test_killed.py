"""Jobs that are killed or stopped, at every phase and at any moment, and go on."""

from __future__ import annotations

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path

import pytest

from domain.phases import Phase
from tests.end_to_end.process import Job
from tests.faults import fresh_models, mortal_jobs
from tests.faults.backend_jobs import COUNT, Announced
from tests.faults.mortal_jobs import Place
from tests.faults.scripted_backend import Accepted
from tests.tally import Tally

pytestmark = pytest.mark.kafka

EPOCHS = 3
MOMENTS = 10
"""For each of two jobs at a time."""

BEFORE_THE_RUN = (Phase.FETCHING, Phase.WAITING, Phase.OPENING)
"""Then nothing is kept yet, not even the model."""

AFTER_THE_TRAINING = (Phase.EVALUATING, Phase.SAVING, Phase.KEEPING)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> list[bytes]:
    """Make a model twice, as the platform does: other weights, other names."""
    return [fresh_models.digits(tmp_path_factory.mktemp("model")) for _ in range(2)]


def place(
    announced: Announced, models: list[bytes], state: Path
) -> AbstractContextManager[Place]:
    """Hand out *models*, one after the other, and the last one from then on."""
    variables = {"KWARGS_FIT": f'{{"epochs": {EPOCHS}}}'}
    return mortal_jobs.place(announced, [models], state, variables)


@pytest.fixture(scope="module")
def unbroken(announced, models, tmp_path_factory) -> tuple[Accepted, float]:
    """Return the result of a job that nothing happens to, and how long it takes."""
    with place(announced, models, tmp_path_factory.mktemp("unbroken")) as here:
        began = time.monotonic()
        here.live()
        (result,) = here.backends[0].accepted
        return result, time.monotonic() - began


@pytest.mark.parametrize(
    ("phase", "at"),
    [*((phase, 1) for phase in Phase), (Phase.REPORTING, 2), (Phase.REPORTING, EPOCHS)],
)
def test_phases(
    announced, models, unbroken, tmp_path, tally: Tally, phase: Phase, at: int
):
    """Killed or stopped when a phase begins, a job goes on to the same end."""
    again = models[:1] * 2 if phase in BEFORE_THE_RUN else models

    def outcome(number: int) -> tuple[int, Job, list[Accepted]]:
        with place(announced, again, tmp_path / str(number)) as here:
            code = here.die(phase, at, number).process.returncode
            return code, here.live(), here.backends[0].accepted

    with ThreadPoolExecutor() as both:
        killed, stopped = both.map(outcome, (signal.SIGKILL, signal.SIGTERM))

    assert [-signal.SIGKILL, 128 + signal.SIGTERM] == [killed[0], stopped[0]]
    for _, second, accepted in (killed, stopped):
        assert_nothing_done_twice(phase, at, second)
        unnoted = phase is Phase.FINISHING
        tally.count(unbroken[0], accepted, points=1, unnoted=unnoted)


def assert_nothing_done_twice(phase: Phase, at: int, second: Job) -> None:
    """Ask what the job after one that ended at a phase has done again."""
    if phase in AFTER_THE_TRAINING or (phase is Phase.REPORTING and at > 1):
        (line,) = second.logged("training goes on")
        assert line["epochs"] == (at - 1 if phase is Phase.REPORTING else EPOCHS)
        (line,) = second.logged("stream goes on where it was")
        assert [COUNT, []] == [line["examples"], line["rest"]]
    if phase in {Phase.DELIVERING, Phase.FINISHING}:
        assert second.logged("trained before: the result is delivered now")
        assert not second.logged("engine ready")
    if phase is Phase.DONE:
        assert second.logged("result was delivered before")


def test_any_moment(announced, models, unbroken, tmp_path, tally: Tally):
    """So do jobs that are killed again and again, whenever it may be."""
    expected, seconds = unbroken
    seed = random.randrange(2**32)
    tally.seeds.append(seed)

    def chain(number: int) -> list[tuple[int, list[Accepted]]]:
        draw = random.Random(seed + number)
        outcomes, left = [], MOMENTS
        for job in count():
            if not left:
                return outcomes
            kills = 0
            state = tmp_path / f"{number}-{job}"
            with place(announced, models[:1] * 2, state) as here:
                while left and here.die_within(draw.uniform(0, 1.2 * seconds)):
                    kills, left = kills + 1, left - 1
                here.live()
                outcomes.append((kills, here.backends[0].accepted))
        raise AssertionError("unreachable")

    with ThreadPoolExecutor() as both:
        chains = list(both.map(chain, range(2)))

    for kills, accepted in [outcome for chain in chains for outcome in chain]:
        tally.count(expected, accepted, points=kills, unnoted=kills > 0)
