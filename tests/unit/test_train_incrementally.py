"""Training on a stream as it comes, with the shipped fakes behind the ports."""

from __future__ import annotations

import json
import logging
import tempfile
from collections import Counter
from contextlib import closing
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from attrs import define, evolve, field

from adapters.formats import Formats
from adapters.json import JsonDecoder
from adapters.memory.backend import MemoryBackend
from adapters.memory.broker import MemoryBroker
from adapters.memory.rejected_records import MemoryRejectedRecords
from adapters.memory.trainer import FakeTrainer
from adapters.raw import RawDecoder
from adapters.sampling import NumpySampler
from adapters.spool import SpoolFor, SpoolSettings
from adapters.state import FolderJournal
from domain.bad_records import BadRecordPolicy
from domain.errors import DeploymentInvalid, Unavailable
from domain.events import RecordsRead
from domain.improvement import ImprovementRule
from domain.mini_batches import Pace
from domain.phases import Phase
from domain.progress import LivePosition
from domain.report import EpochMetrics, StreamCounts
from domain.request import DeploymentId
from domain.train_incrementally import TrainIncrementally
from ports import TrainableModel
from tests.builders import control_message

CONFIG = {
    "data_type": "uint16",
    "label_type": "uint8",
    "data_reshape": "1",
    "label_reshape": "1",
}
ANNOUNCED = 1_000_000
UP = ImprovementRule("accuracy", upwards=True, least=0.0625)


class Killed(BaseException):
    """Stands in for the end of a process."""


@define
class Pupil(TrainableModel):
    """
    A model that remembers on what it was trained, and is as good as it is told.

    Attributes:
        scores: The accuracy after each fit.

        lessons: The examples of each fit: of training, and of validation.
    """

    scores: list[float]
    epochs: int
    lessons: list[tuple[list[int], list[int]]] = field(factory=list)

    def fit(self, training, validation, on_epoch_end, checkpoints=None, on_steps=None):
        assert checkpoints is None
        held_out = read(validation) if validation else []
        self.lessons.append((read(training), held_out))
        number = len(self.lessons)
        score = self.scores[number - 1] if number <= len(self.scores) else 0.0
        for epoch in range(self.epochs):
            metrics = {"loss": 100.0 * number + epoch, "accuracy": score}
            on_epoch_end(EpochMetrics(metrics, metrics if validation else {}))

    def evaluate(self, dataset):
        raise NotImplementedError

    def confusion_matrix(self, dataset):
        raise NotImplementedError

    def save(self):
        path = Path(tempfile.mkdtemp()) / "model.h5"
        path.write_text(json.dumps(self.lessons))
        return path

    def keep(self, folder):
        (folder / "lessons").write_text(json.dumps(self.lessons))

    def resume(self, folder):
        self.lessons = [tuple(x) for x in json.loads((folder / "lessons").read_text())]
        return True


class School(FakeTrainer):
    """A trainer of pupils."""

    scores: tuple[float, ...] = ()

    def load(self, model):
        self.inspect(model)
        return Pupil(list(self.scores), self.epochs)


def school(*scores, epochs=2):
    trainer = School(epochs=epochs)
    object.__setattr__(trainer, "scores", scores)
    return trainer


def read(dataset):
    parts = [np.asarray(batch.features).ravel() for batch in dataset.batches(7)]
    return [int(number) for number in np.concatenate(parts)]


def numbered(start, stop):
    """Return records whose one feature is their number."""
    return [(b"\x01", number.to_bytes(2, "little")) for number in range(start, stop)]


def announce(broker, key=b"\x07", at=ANNOUNCED, **fields):
    body = {"topic": "live", "total_msg": None, "input_config": CONFIG, **fields}
    broker.produce("control", (key, control_message(**body)), timestamp=at)


def lessons(backend, number=-1):
    return [tuple(x) for x in json.loads(backend.deliveries[number].model)]


@pytest.fixture
def broker():
    broker = MemoryBroker(batch_size=3)
    broker.create("live")
    return broker


@pytest.fixture
def backend(tmp_path):
    return MemoryBackend(b"untrained", tmp_path, repeats=False)


@pytest.fixture
def run(broker, backend, tmp_path):
    """Return a function that runs a job as a process of its own would."""

    def job(state="state", **parts):
        with closing(FolderJournal(tmp_path / state)) as journal:
            return TrainIncrementally(
                **{
                    "deployment_id": DeploymentId(7),
                    "control_source": broker,
                    "live_stream": broker,
                    "decoder_for": Formats(
                        {
                            "RAW": RawDecoder.from_options,
                            "JSON": JsonDecoder.from_options,
                        }
                    ),
                    "spool_for": SpoolFor(SpoolSettings()),
                    "model_repository": backend,
                    "trainer": school(),
                    "result_sink": backend,
                    "journal": journal,
                    "pace": Pace(10, 10.0, 10.0),
                    "checkpoint_seconds": 0.0,
                    "clock": count(step=5).__next__,
                    **parts,
                }
            ).run()

    return job


class Ending(MemoryBroker):
    """A broker at which a process that waits for long is told to stop."""

    quiet = 0

    def follow(self, position):
        for followed in super().follow(position):
            self.quiet = 0 if len(followed.records) else self.quiet + 1
            if self.quiet > 4:
                raise SystemExit(143)
            yield followed


class Slow(MemoryBroker):
    """A broker at which nothing comes before each record."""

    def follow(self, position):
        nothing = next(MemoryBroker().follow(LivePosition("none")))
        for followed in super().follow(position):
            yield evolve(followed, records=nothing.records, position=position)
            yield followed
            position = followed.position


@pytest.fixture
def ending():
    broker = Ending(batch_size=3)
    broker.create("live")
    return broker


def endless(run, broker, **parts):
    """Run an endless job until it is told to stop."""
    with pytest.raises(SystemExit):
        run(
            **{
                "control_source": broker,
                "live_stream": broker,
                "pace": Pace(10, 10.0, None),
                "rule": UP,
                **parts,
            }
        )


class TestMiniBatches:
    def test_whole_stream(self, run, broker, backend):
        """Mini-batches are of the size that is wanted, and the last one is not lost."""
        announce(broker)
        broker.produce("live", *numbered(0, 25))

        report = run()

        assert [
            (list(range(10)), []),
            (list(range(10, 20)), []),
            (list(range(20, 25)), []),
        ] == lessons(backend)
        assert StreamCounts(25, 25, 0) == report.stream
        (delivery,) = backend.deliveries
        assert delivery.report == report

    def test_report(self, run, broker, backend):
        """The result has the metrics of the last mini-batch, progress those of all."""
        announce(broker, validation_rate=0.2)
        broker.produce("live", *numbered(0, 20))

        report = run()

        assert [200.0, 201.0] == [e.training["loss"] for e in report.history]
        assert [200.0, 201.0] == [e.validation["loss"] for e in report.history]
        assert {} == report.test
        assert report.confusion_matrix is None
        assert report.indefinite is False
        assert 10.0 == report.training_time  # 5 a fit
        assert [100.0, 101.0, 200.0, 201.0] == [
            epoch.training["loss"] for epoch in backend.progress[-1]
        ]
        assert [1, 2, 3, 4] == list(map(len, backend.progress))

    @pytest.mark.parametrize(
        ("rate", "rows", "training", "validation"),
        [(0.2, 10, 8, 2), (0.1, 15, 13, 2), (0.1, 9, 8, 0), (0.3, 10, 7, 3)],
    )
    def test_split(self, run, broker, backend, rate, rows, training, validation):
        """Each is shared out as the contract says; of a test part nothing is known."""
        announce(broker, validation_rate=rate, test_rate=0.5)
        broker.produce("live", *numbered(0, rows))

        run(pace=Pace(rows, 10.0, 10.0))

        ((trained, held_out),) = lessons(backend)
        assert list(range(training)) == trained
        assert list(range(training, training + validation)) == held_out

    def test_nothing_to_train_on(self, run, broker, backend, caplog):
        """A mini-batch of which nothing is left is passed over."""
        announce(broker, validation_rate=0.5)
        broker.produce("live", *numbered(0, 11))

        run()

        assert [(list(range(5)), list(range(5, 10)))] == lessons(backend)
        assert "mini-batch leaves nothing to train on" in caplog.messages

    def test_shuffled(self, run, broker, backend):
        """A sampler chooses within a mini-batch."""
        announce(broker, validation_rate=0.2)
        broker.produce("live", *numbered(0, 20))

        run(sampler=NumpySampler(seed=1, stratified=False))

        for (trained, held_out), first in zip(lessons(backend), (0, 10), strict=True):
            assert set(range(first, first + 10)) == {*trained, *held_out}
            assert sorted(trained) != trained

    def test_from_the_announcement(self, run, broker, backend):
        """What was sent after it counts, though nobody was there; older does not."""
        broker.create("live", 2)
        broker.produce("live", *numbered(100, 110), timestamp=ANNOUNCED - 1)
        broker.produce("live", *numbered(0, 5), timestamp=ANNOUNCED)
        broker.produce("live", *numbered(5, 8), timestamp=ANNOUNCED + 1, partition=1)
        announce(broker)

        run()

        assert [([0, 1, 2, 3, 4, 5, 6, 7], [])] == lessons(backend)

    def test_records_during_training(self, run, broker, backend):
        """A training that takes long is no silence."""
        announce(broker)
        broker.produce("live", *numbered(0, 10))
        sent = iter([(10, 20), (20, 24)])

        def send(phase):
            if phase is Phase.TRAINING and (more := next(sent, None)):
                broker.produce("live", *numbered(*more))

        run(on_event=send, pace=Pace(10, 5.0, 5.0))

        assert [10, 10, 4] == [len(trained) for trained, _ in lessons(backend)]

    def test_slow_stream(self, run, backend):
        """Every record begins the silence anew."""
        broker = Slow(batch_size=1)
        broker.produce("live", *numbered(0, 7))
        announce(broker, at=0)

        run(live_stream=broker, control_source=broker, pace=Pace(10, 8.0, 8.0))

        assert [(list(range(7)), [])] == lessons(backend)

    def test_patience(self, run, backend, ending):
        """After a while without records fewer will do; the stream goes on."""
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 5))

        endless(run, ending)
        ending.produce("live", *numbered(5, 10))
        run(live_stream=ending, control_source=ending, trainer=school(0.0, 0.0))

        assert [4, 4] == [len(trained) for trained, _ in lessons(backend)]


@pytest.mark.parametrize(
    ("milliseconds", "seconds"), [(0, 10), (9_999, 10), (60_000, 60), (-1, None)]
)
def test_pace(milliseconds, seconds):
    """The time-out is no shorter than the patience; -1 is none."""
    assert Pace(5, 10.0, seconds) == Pace.of(5, 10.0, milliseconds)


class TestRefused:
    def test_no_records(self, run, broker, backend, caplog):
        """A stream that does not come is given up, and the next message taken."""
        announce(broker, topic="nothing")
        announce(broker)
        broker.produce("live", *numbered(0, 3))

        run()

        (skipped,) = [r for r in caplog.records if r.msg == "control message skipped"]
        assert "nothing: no record came in 10 seconds" == skipped.reason
        assert [([0, 1, 2], [])] == lessons(backend)

    @pytest.mark.parametrize("topic", ["live:0:0:3", "live:0", "live,other"])
    def test_ranges(self, run, broker, backend, caplog, topic):
        """A range has an end, and is no stream that comes."""
        announce(broker, topic=topic)
        broker.produce("live", *numbered(0, 3))

        with pytest.raises(Unavailable):
            run()

        (skipped,) = [r for r in caplog.records if r.msg == "control message skipped"]
        assert "is a range; to train on a stream as it comes" in skipped.reason
        assert [] == backend.deliveries

    def test_others_messages(self, run, broker, backend):
        """Messages for other deployments are passed over."""
        announce(broker, key=b"\x08", topic="nothing")
        announce(broker)
        broker.produce("live", *numbered(0, 3))

        run()

        assert 1 == len(backend.deliveries)

    def test_endless_without_validation(self, run, broker, caplog):
        announce(broker, validation_rate=0)

        with pytest.raises(Unavailable):
            run(pace=Pace(10, 10.0, None), rule=UP)

        (skipped,) = [r for r in caplog.records if r.msg == "control message skipped"]
        assert skipped.reason.startswith("validation_rate 0")

    def test_unknown_metric(self, run, broker):
        """A metric that is never measured ends an endless job, with those that are."""
        announce(broker, validation_rate=0.2)
        broker.produce("live", *numbered(0, 10))

        with pytest.raises(DeploymentInvalid, match="'acc' is none of loss, accuracy"):
            run(pace=Pace(10, 10.0, None), rule=ImprovementRule("acc", True, 0.1))

    def test_retention(self, run, broker, backend, caplog):
        """Who is overtaken by retention trains on nothing else instead."""
        announce(broker)
        broker.produce("live", *numbered(0, 20))

        def overtake(phase):
            if phase is Phase.TRAINING:
                broker.delete_records("live", 15)

        with pytest.raises(Unavailable):
            run(on_event=overtake)

        (skipped,) = [r for r in caplog.records if r.msg == "control message skipped"]
        assert "live[0]@12: 3 offsets are gone" in skipped.reason
        assert [] == backend.deliveries


class TestBadRecords:
    BAD = (b"\x01", b"odd")

    def test_fail(self, run, broker, caplog):
        announce(broker)
        broker.produce("live", *numbered(0, 4), self.BAD)

        with pytest.raises(Unavailable):
            run()

        (skipped,) = [r for r in caplog.records if r.msg == "control message skipped"]
        assert "live[0]@4" in skipped.reason

    def test_skip(self, run, broker, backend):
        """Bad records count for the size of a mini-batch, and are not trained on."""
        announce(broker)
        broker.produce("live", *numbered(0, 4), self.BAD, *numbered(4, 12))

        report = run(bad_records=BadRecordPolicy(limit=1))

        assert [(list(range(9)), []), ([9, 10, 11], [])] == lessons(backend)
        assert StreamCounts(13, 12, 1) == report.stream

    def test_share(self, run, broker, caplog):
        """A share is one of all records so far, looked at after a mini-batch."""
        announce(broker)
        broker.produce("live", self.BAD, *numbered(0, 9), *[self.BAD] * 2)
        broker.produce("live", *numbered(0, 8))

        with pytest.raises(Unavailable):
            run(bad_records=BadRecordPolicy(limit=None, share=0.1))

        (skipped,) = [r for r in caplog.records if r.msg == "control message skipped"]
        assert "3 bad records of 20" in skipped.reason

    def test_diverted(self, run, broker, backend):
        announce(broker)
        broker.produce("live", *numbered(0, 4), self.BAD)
        letters = MemoryRejectedRecords()

        run(bad_records=BadRecordPolicy(None, divert=True), rejected_records=letters)

        assert ["4"] == [letter.origin["offset"] for letter in letters.letters]
        assert 1 == len(backend.deliveries)


class TestEndless:
    def test_improvements(self, run, backend, ending, caplog):
        """Each is posted; the first mini-batch never is; references move with posts."""
        caplog.set_level(logging.INFO)
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 60))
        scores = (0.5, 0.53125, 0.5625, 0.59375, 0.625, 0.25)

        endless(run, ending, trainer=school(*scores))

        posted = [
            d.report.history[-1].validation["accuracy"] for d in backend.deliveries
        ]
        assert [0.5625, 0.625] == posted
        assert all(d.report.indefinite for d in backend.deliveries)
        assert [3, 5] == [len(lessons(backend, number)) for number in range(2)]
        lines = [r for r in caplog.records if r.msg == "mini-batch trained"]
        assert [False, False, True, False, True, False] == [r.better for r in lines]
        assert [0.5, 0.5, 0.5625, 0.5625, 0.625] == [r.reference for r in lines[1:]]
        assert -0.375 == lines[-1].difference
        assert [8] * 6 == [r.rows for r in lines]
        assert 12 == len(backend.progress[-1])

    def test_downwards(self, run, backend, ending):
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 40))
        rule = ImprovementRule("accuracy", upwards=False, least=0.125)

        endless(run, ending, rule=rule, trainer=school(0.5, 0.9, 0.375, 0.3125))

        assert [0.375] == [
            d.report.history[-1].validation["accuracy"] for d in backend.deliveries
        ]

    def test_no_number(self, run, backend, ending):
        """What is no number is neither better nor a reference."""
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 40))
        nan = float("nan")

        endless(run, ending, trainer=school(nan, 0.5, nan, 0.6))

        assert [4] == [len(lessons(backend, n)) for n in range(len(backend.deliveries))]

    def test_small_mini_batch(self, run, backend, ending):
        """Without validation there is nothing to compare."""
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 13))  # int(0.2 * 3) is 0

        endless(run, ending, trainer=school(0.5, 0.9))

        assert [] == backend.deliveries

    def test_stopped_while_delivering(self, run, backend, ending):
        """A delivery that is under way goes on to its end, once."""
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 20))

        def die(phase):
            if phase is Phase.DELIVERING:
                raise SystemExit(143)

        endless(run, ending, trainer=school(0.5, 0.9), on_event=die)
        assert [] == backend.deliveries
        endless(run, ending, trainer=school(0.5, 0.9))
        endless(run, ending, trainer=school(0.5, 0.9))

        (delivery,) = backend.deliveries
        assert 0.9 == delivery.report.history[-1].validation["accuracy"]

    def test_backend_away(self, run, backend, ending):
        """What could not be delivered is what the next process begins with."""
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 30))

        def leave(phase):
            if phase is Phase.DELIVERING:
                backend.available = False

        with pytest.raises(Unavailable):
            run(
                control_source=ending,
                live_stream=ending,
                pace=Pace(10, 10.0, None),
                rule=UP,
                trainer=school(0.5, 0.9, 1.0),
                on_event=leave,
            )
        backend.available = True
        endless(run, ending, trainer=school(0.5, 0.9, 1.0))

        assert [2, 3] == [len(lessons(backend, number)) for number in range(2)]

    def test_killed_after_belated_delivery(self, run, backend, ending):
        """What a resumed process kept without training is whole, too."""
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 30))
        trainer = school(0.5, 0.9, 1.0)
        ways = {"control_source": ending, "live_stream": ending, "rule": UP}
        ways |= {"pace": Pace(10, 10.0, None), "trainer": trainer}

        with pytest.raises(Killed):
            run(**ways, on_event=Dying(Phase.DELIVERING, 1))
        with pytest.raises(Killed):
            run(**ways, on_event=Dying(Phase.READING, 1))
        assert [2] == [len(lessons(backend, n)) for n in range(len(backend.deliveries))]
        endless(run, ending, trainer=trainer)

        assert [2, 3] == [len(lessons(backend, number)) for number in range(2)]


class Dying:
    """Ends a process when a phase begins for some time."""

    def __init__(self, phase, time):
        self.phase, self.left = phase, time

    def __call__(self, phase):
        if phase is self.phase:
            self.left -= 1
            if not self.left:
                raise Killed


def test_lag_is_told(run, broker):
    """Whoever watches knows how much of the topic is left, mini-batch by mini-batch."""
    announce(broker)
    broker.produce("live", *numbered(0, 35))
    told = []

    run(on_event=told.append)

    read = [event for event in told if isinstance(event, RecordsRead)]
    assert {35} == {event.end for event in read}
    assert 34 == read[-1].last


class TestKilled:
    @pytest.mark.parametrize("time", [1, 2, 3, 4])
    @pytest.mark.parametrize("phase", list(Phase))
    def test_every_record_once(self, run, broker, backend, phase, time):
        """Whenever it is killed, each record is trained on once, each result posted."""
        announce(broker, validation_rate=0.2)
        broker.produce("live", *numbered(0, 35))
        trainer = school(0.1, 0.3, 0.5, 0.7)

        try:
            run(on_event=Dying(phase, time), trainer=trainer)
        except Killed:
            run(trainer=trainer)

        (*earlier, _) = backend.deliveries
        assert len(earlier) <= (phase is Phase.FINISHING)
        seen = Counter(n for both in lessons(backend) for part in both for n in part)
        assert Counter(range(35)) == seen
        assert [8, 8, 8, 4] == [len(trained) for trained, _ in lessons(backend)]
        assert 8 == len(backend.progress[-1]) or phase in {
            Phase.FINISHING,
            Phase.DONE,
            Phase.DELIVERING,
        }

    @pytest.mark.parametrize("time", [1, 2, 3, 4])
    @pytest.mark.parametrize(
        "phase",
        [
            Phase.READING,
            Phase.TRAINING,
            Phase.REPORTING,
            Phase.KEEPING,
            Phase.SAVING,
            Phase.DELIVERING,
            Phase.FINISHING,
        ],
    )
    def test_every_improvement_once(self, run, backend, ending, phase, time):
        """No better model is lost, and none is posted twice; the window apart."""
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 35))
        scores = (0.1, 0.3, 0.2, 0.5)

        with pytest.raises((Killed, SystemExit)):
            run(
                control_source=ending,
                live_stream=ending,
                pace=Pace(10, 10.0, None),
                rule=UP,
                trainer=school(*scores),
                on_event=Dying(phase, time),
            )
        endless(run, ending, trainer=school(*scores))

        posted = [len(lessons(backend, n)) for n in range(len(backend.deliveries))]
        if phase is Phase.FINISHING:  # accepted, and not noted
            posted = sorted(set(posted))
        assert [2, 4] == posted
        seen = Counter(n for both in lessons(backend) for part in both for n in part)
        assert Counter(range(35)) == seen

    def test_rarely_kept(self, run, broker, backend):
        """What no checkpoint covers is trained on again, from the weights before."""
        announce(broker)
        broker.produce("live", *numbered(0, 40))

        with pytest.raises(Killed):
            run(
                on_event=Dying(Phase.TRAINING, 4),
                checkpoint_seconds=60.0,
                clock=count().__next__,
            )
        run(clock=count(step=5).__next__)

        seen = Counter(n for trained, _ in lessons(backend) for n in trained)
        assert Counter(range(40)) == seen

    def test_delivered_before(self, run, broker, backend):
        announce(broker)
        broker.produce("live", *numbered(0, 5))

        first, second = run(), run()

        assert first == second
        assert 1 == len(backend.deliveries)

    def test_stopped_while_waiting(self, run, backend, ending, caplog):
        """Whoever is stopped while it waits has kept everything."""
        caplog.set_level(logging.INFO)
        announce(ending, validation_rate=0.2)
        ending.produce("live", *numbered(0, 20))
        rarely = {"checkpoint_seconds": 60.0, "clock": count(step=0.001).__next__}
        pace = Pace(10, 0.001, None)

        endless(run, ending, **rarely, pace=pace)
        endless(run, ending, **rarely, pace=pace)

        (line,) = [r for r in caplog.records if r.msg == "training goes on"]
        assert 2 == line.mini_batches
        assert {0: 20} == line.offsets
        assert [] == backend.deliveries

    def test_open_format(self, run, broker, backend):
        """What the first record settled stays settled, even if it is gone by then."""
        announce(broker, input_format="JSON", input_config={})
        broker.produce("live", *[(b"1", b"[%d]" % number) for number in range(10)])

        with pytest.raises(Killed):
            run(on_event=Dying(Phase.READING, 2))
        broker.delete_records("live", 9)
        broker.produce("live", (b"1", b"[1, 2]"), *[(b"1", b"[%d]" % 10)])
        run(bad_records=BadRecordPolicy(limit=1))

        assert [(list(range(10)), []), ([10], [])] == lessons(backend)
