"""
Jobs of cases 2 to 4 that are killed or stopped at every phase, and go on.

Of each job a line of processes is made: every one goes on from the death before it, and
dies a phase later.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import groupby
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals

import pytest
from attrs import frozen

from domain.phases import Phase
from tests.broker.topics import KafkaTopics, unique
from tests.end_to_end.platform import OnlineSender, Sender, raw
from tests.end_to_end.process import Job
from tests.faults import fresh_models
from tests.faults.backend_jobs import Announced
from tests.faults.mortal_jobs import Place, place
from tests.faults.scripted_backend import Accepted
from tests.models import examples
from tests.tally import Tally

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(900)]

RECORDS = 180

SETTINGS = {"KWARGS_FIT": '{"epochs": 2}', "STREAMFIT_STEPS_PER_EXECUTION": "1"}

CHAIN = {
    "OPTIMIZER": "adam",
    "LEARNING_RATE": "0.250000",
    "LOSS": "sparse_categorical_crossentropy",
    "METRICS": "accuracy",
}

THREE_MINI_BATCHES = {
    "STREAM_TIMEOUT": "1000",
    "STREAMFIT_MINI_BATCH": "60",
    "STREAMFIT_MINI_BATCH_SECONDS": "1",
}

SIX_AND_NO_END = {
    "STREAM_TIMEOUT": "-1",
    # The same after every mini-batch, so that each but the first makes a better model.
    "MONITORING_METRIC": fresh_models.CONSTANT,
    "CHANGE": "up",
    "IMPROVEMENT": "0.000000",
    "STREAMFIT_MINI_BATCH": "30",
}

BETTER = 5
"""Models of an endless job."""


@frozen
class Death:
    """
    Where a process gets a signal.

    Attributes:
        phase: When that begins.

        time: How often it has begun then.

        signal: Which one.
    """

    phase: Phase
    time: int
    signal: Signals

    @property
    def code(self) -> int:
        """What the process ends with."""
        return -SIGKILL if self.signal is SIGKILL else 128 + self.signal


@frozen
class Mode:
    """
    A kind of job.

    Attributes:
        variables: What is set for it.

        online: Whether its stream is one that comes.

        chained: Whether it trains sub-models.

        times: How often a phase has begun when a process dies there, if not once.

        trained: What those processes that find some training done find of it, one after
            the other: so many epochs, or mini-batches.
    """

    variables: dict[str, str]
    online: bool
    chained: bool
    times: dict[Phase, int]
    trained: Sequence[int]

    def deaths(self, signal: Signals) -> list[Death]:
        """Return one at each phase that it goes through."""
        return [
            Death(phase, self.times.get(phase, 1), signal)
            for phase in Phase
            if phase is not Phase.EVALUATING or not self.online
        ]


_WITHIN_THE_SECOND = {Phase.TRAINING: 2, Phase.REPORTING: 2}

MODES = {
    "incremental": Mode(
        {"CASE": "2", **THREE_MINI_BATCHES},
        online=True,
        chained=False,
        times=_WITHIN_THE_SECOND,
        trained=(1, 1, 3, 3),
    ),
    "distributed": Mode(
        {"CASE": "3", **CHAIN},
        online=False,
        chained=True,
        times={Phase.REPORTING: 2},
        trained=(1, 2, 2, 2),
    ),
    "distributed-incremental": Mode(
        {"CASE": "4", **CHAIN, **THREE_MINI_BATCHES},
        online=True,
        chained=True,
        times=_WITHIN_THE_SECOND,
        trained=(1, 1, 3, 3),
    ),
}

ENDLESS = Mode(
    {"CASE": "2", **SIX_AND_NO_END},
    online=True,
    chained=False,
    times={},
    trained=(),
)


@frozen
class World:
    """
    What all jobs have in common.

    Attributes:
        ranges: A stream that has been written.

        live: One that comes.

        models: A model, made twice.

        chains: A chain, likewise.

        folder: For state folders.
    """

    ranges: Announced
    live: Announced
    models: list[bytes]
    chains: list[list[bytes]]
    folder: Path

    def place(self, mode: Mode, name: str) -> AbstractContextManager[Place]:
        """Make room for jobs of *mode* that go on from what others left."""
        made = self.chains if mode.chained else [[model] for model in self.models]
        first, second = made
        # The third process that asks for a model is the first one that can keep it.
        downloads = list(zip(*[first] * 3, second, strict=True))
        return place(
            self.live if mode.online else self.ranges,
            downloads,
            self.folder / name,
            {**SETTINGS, **mode.variables},
        )


@pytest.fixture(scope="module")
def world(announced, kafka, tmp_path_factory) -> World:
    """Announce a stream and write all of it; make models as the platform does."""
    sender = OnlineSender(kafka, unique("live"), unique("control"))
    for topic in (sender.topic, sender.control):
        KafkaTopics(kafka).create(topic)
    rows = examples("digits", RECORDS)
    sender.send(raw(rows.features, rows.labels))
    live = Announced(Sender(kafka, sender.topic, sender.control), sender.topic)
    folder = tmp_path_factory.mktemp("modes")
    return World(
        announced,
        live,
        [fresh_models.digits(folder) for _ in range(2)],
        [fresh_models.chain(folder) for _ in range(2)],
        folder,
    )


def die_one_by_one(here: Place, deaths: Sequence[Death]) -> tuple[list[Job], list[int]]:
    """Let a process die each of *deaths*, and tell how many results there were then."""
    jobs, results = [], []
    for death in deaths:
        jobs.append(here.die(death.phase, death.time, death.signal))
        results += {len(backend.accepted) for backend in here.backends}
    assert [death.code for death in deaths] == [job.process.returncode for job in jobs]
    return jobs, results


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES.keys())
def test_phases(world: World, tally: Tally, mode: Mode):
    """Killed or stopped when a phase begins, a job goes on to the same end."""
    case = mode.variables["CASE"]
    with world.place(mode, f"{case}-unbroken") as here:
        here.live()
        unbroken = [backend.accepted for backend in here.backends]

    def outcome(signal: Signals) -> list[list[Accepted]]:
        deaths = mode.deaths(signal)
        with world.place(mode, f"{case}-{signal.name}") as here:
            jobs, results = die_one_by_one(here, deaths)
            last = here.live()
        # Killed before it could note its delivery, a job delivers once more; no more.
        assert [*[0] * (len(deaths) - 2), 1, 2] == results
        assert_nothing_done_twice(mode, [*jobs, last])
        return [backend.accepted for backend in here.backends]

    with ThreadPoolExecutor() as both:
        outcomes = both.map(outcome, (SIGKILL, SIGTERM))

    for signal, accepted in zip((SIGKILL, SIGTERM), outcomes, strict=True):
        points = [len(mode.deaths(signal)), *[0] * len(accepted)]
        for (expected,), results, n in zip(unbroken, accepted, points, strict=False):
            assert 2 == len(results)
            tally.count(expected, results, points=n, unnoted=True)


def assert_nothing_done_twice(mode: Mode, jobs: Sequence[Job]) -> None:
    """Ask what the processes found done."""
    counted = "mini_batches" if mode.online else "epochs"
    trained = [line[counted] for job in jobs for line in job.logged("training goes on")]
    assert list(mode.trained) == trained
    *_, finishing, done, last = jobs
    for job in (finishing, done):
        assert job.logged("trained before: the result is delivered now")
        assert not job.logged("engine ready")
    assert last.logged("result was delivered before")


@frozen
class Line:
    """
    Processes of an endless job, one after the other.

    Attributes:
        deaths: Where each of them ends.  The last one has nothing left to train on.

        results: How many better models the back-end has accepted by then.

        unnoted: Which of them a process could not note, so that they came twice.
    """

    deaths: Sequence[Death]
    results: Sequence[int]
    unnoted: Sequence[int] = ()


LINES = {
    # At the first better model, and then at one that was better before the process was
    # there; and the other way round.
    "killed": Line(
        [
            Death(Phase.KEEPING, 1, SIGKILL),
            Death(Phase.SAVING, 1, SIGKILL),
            Death(Phase.SAVING, 1, SIGKILL),
            Death(Phase.DELIVERING, 1, SIGKILL),
            Death(Phase.FINISHING, 1, SIGKILL),
            Death(Phase.DELIVERING, 2, SIGKILL),
            Death(Phase.FINISHING, 2, SIGKILL),
            Death(Phase.READING, 3, SIGTERM),
        ],
        results=[0, 0, 0, 0, 1, 2, 4, 7],
        unnoted=[0, 2],
    ),
    # Whoever is stopped hands it in all the same.
    "stopped": Line(
        [
            Death(Phase.KEEPING, 1, SIGTERM),
            Death(Phase.DELIVERING, 1, SIGKILL),
            Death(Phase.SAVING, 1, SIGTERM),
            Death(Phase.DELIVERING, 1, SIGTERM),
            Death(Phase.FINISHING, 1, SIGTERM),
            Death(Phase.READING, 2, SIGTERM),
        ],
        results=[1, 1, 2, 3, 4, 5],
    ),
}


def test_deliveries(world: World, tally: Tally):
    """Killed or stopped in a delivery, an endless job loses no better model."""
    end = Death(Phase.READING, BETTER + 2, SIGTERM)
    with world.place(ENDLESS, "endless-unbroken") as here:
        die_one_by_one(here, [end])
        unbroken = here.backends[0].accepted
    assert BETTER == len(unbroken)

    def outcome(how: str) -> list[list[Accepted]]:
        with world.place(ENDLESS, f"endless-{how}") as here:
            _, results = die_one_by_one(here, LINES[how].deaths)
            assert LINES[how].results == results
            return [list(same) for _, same in groupby(here.backends[0].accepted)]

    with ThreadPoolExecutor() as both:
        outcomes = list(both.map(outcome, LINES))

    for line, accepted in zip(LINES.values(), outcomes, strict=True):
        points = [len(line.deaths), *[0] * BETTER]
        better = zip(unbroken, accepted, points, strict=False)
        for number, (expected, results, n) in enumerate(better):
            unnoted = number in line.unnoted
            tally.count(expected, results, points=n, unnoted=unnoted)
            assert 1 + unnoted == len(results)
        assert BETTER == len(accepted)
