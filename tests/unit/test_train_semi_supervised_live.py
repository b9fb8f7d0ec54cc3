"""The job that labels a stream as it comes, with the shipped fakes behind its ports."""

from __future__ import annotations

import logging
from contextlib import closing
from itertools import count
from types import MappingProxyType

import pytest
from attrs import evolve

from adapters.formats import Formats
from adapters.json import JsonDecoder
from adapters.labelling import NumpyLabeller
from adapters.memory.backend import MemoryBackend
from adapters.memory.broker import MemoryBroker
from adapters.memory.trainer import FakeTrainer
from adapters.raw import RawDecoder
from adapters.sampling import NumpySampler
from adapters.spool import SpoolFor, SpoolSettings
from adapters.state import FolderJournal
from domain.bad_records import BadRecordPolicy
from domain.errors import Unavailable
from domain.improvement import ImprovementRule
from domain.mini_batches import Pace
from domain.report import StreamCounts
from domain.request import DeploymentId
from domain.split import split_records
from domain.train_incrementally import TrainIncrementally
from domain.train_semi_supervised_live import TrainSemiSupervisedLive
from tests.builders import control_message
from tests.watching import Away, Killed, Watching, dying, values

ANNOUNCED = 1_000_000
KNOWN = [(float(i), float(i)) for i in range(10)]
ENDLESS = {
    "pace": Pace(2, 10.0, None),
    "rule": ImprovementRule("accuracy", upwards=True, least=0.02),
    "labeller": NumpyLabeller(0.95),
}
EMPTY = MappingProxyType({})


@pytest.fixture
def broker():
    """Ten examples of which the label is the position; the live topic is empty."""
    broker = MemoryBroker(batch_size=3)
    broker.produce("automl", *[(bytes([i]), values(i)[0]) for i in range(10)])
    broker.create("live")
    broker.create("control")
    return broker


@pytest.fixture
def backend(tmp_path):
    return MemoryBackend(b"untrained", tmp_path, repeats=False)


@pytest.fixture
def trainer(tmp_path):
    return Watching(epochs=3, workdir=tmp_path)


@pytest.fixture
def run(broker, backend, trainer, tmp_path):
    """Return a function that runs a job as a process of its own would."""

    def job(state="state", **parts):
        with closing(FolderJournal(tmp_path / state)) as journal:
            shared = {
                "deployment_id": DeploymentId(7),
                "control_source": broker,
                "live_stream": broker,
                "decoder_for": Formats(
                    {"RAW": RawDecoder.from_options, "JSON": JsonDecoder.from_options}
                ),
                "spool_for": SpoolFor(SpoolSettings()),
                "model_repository": backend,
                "trainer": trainer,
                "result_sink": backend,
                "journal": journal,
                "pace": Pace(2, 10.0, 10.0),
                "checkpoint_seconds": 0.0,
                "clock": count(step=5).__next__,
            }
            return TrainSemiSupervisedLive(
                **{
                    **shared,
                    "supervised": TrainIncrementally(
                        **{**shared, "trainer": FakeTrainer(2, tmp_path)}
                    ).serve,
                    "stream_source": broker,
                    "split": split_records,
                    "labeller": NumpyLabeller(0.9),
                    "wants_confusion_matrix": True,
                    **parts,
                }
            ).run()

    return job


def announce(broker, *firsts, key=b"00", **fields):
    """Announce the labelled stream, and then send the others."""
    body = {
        "topic": "automl:0:0:10",
        "total_msg": 10,
        "unsupervised_topic": "live",
        **fields,
    }
    broker.produce("control", (b"\x07", control_message(**body)), timestamp=ANNOUNCED)
    broker.produce(
        "live", *[(key, value) for value in values(*firsts)], timestamp=ANNOUNCED
    )


def logged(caplog, message):
    return [r for r in caplog.records if r.message == message]


def test_labels(run, broker, backend, trainer):
    """What the model is sure of in a mini-batch joins the training part for good."""
    announce(broker, 5.75, 6.5, 7.25, 8.75)

    report = run()

    first = [*KNOWN, (5.75, 5.0)]
    second = [*first, (8.75, 8.0)]
    assert [p for part in (KNOWN, first, second) for p in 3 * [part]] == trainer.passes
    assert (1, 1) == report.labelled
    assert 9 == len(report.history)
    assert report.history == backend.progress[-1]
    assert StreamCounts(10, 10, 0) == report.stream
    assert not report.indefinite
    (delivery,) = backend.deliveries
    assert report == delivery.report
    assert delivery.model.endswith(b"trained for 9 epochs by FakeTrainer")


def test_parts(run, broker, trainer):
    """The labelled stream is shared out as in case 1, and so it stays."""
    announce(broker, 5.75, 8.75, validation_rate=0.2, test_rate=0.3)

    report = run()

    assert KNOWN[:5] == trainer.passes[0]
    assert [*KNOWN[:5], (5.75, 5.0), (8.75, 8.0)] == trainer.passes[3]
    assert (5, 6, 7) == report.confusion_matrix.labels
    assert report.test
    assert all(epoch.validation for epoch in report.history)


def test_sampler(run, broker, trainer):
    """Parts may be drawn from the whole labelled stream, and orders differ."""
    announce(broker, 5.75, 8.75, validation_rate=0.2, test_rate=0.3)
    order = NumpySampler(0, stratified=False).order

    report = run(sampler=NumpySampler(3, stratified=False), order=order)

    assert report.confusion_matrix.labels != (5, 6, 7)
    assert sorted(trainer.passes[0]) == sorted(trainer.passes[1])
    assert trainer.passes[0] != trainer.passes[1]
    shared = [[one for one in p if one[0] in range(10)] for p in trainer.passes]
    assert len(shared) == len(set(map(tuple, shared)))


def test_sure_of_nothing(run, broker, trainer, caplog):
    """A mini-batch in which the model is sure of nothing ends the training."""
    announce(broker, 5.75, 6.5, 1.0, 2.0, 8.75, 7.75)

    with caplog.at_level(logging.INFO):
        report = run()

    assert (1,) == report.labelled
    assert [*KNOWN, (5.75, 5.0)] == trainer.passes[-1]
    assert [(1, 1, 1), (2, 0, 2)] == [
        (line.mini_batch, line.labelled, line.remaining)
        for line in logged(caplog, "examples labelled")
    ]


def test_silence(run, broker):
    """Where nothing comes, the result is that of the labelled stream."""
    announce(broker)

    report = run()

    assert () == report.labelled
    assert 3 == len(report.history)


def test_bad_records(run, broker):
    """A mini-batch of bad records is passed over; it is not one of unsure guesses."""
    announce(broker)
    broker.produce("live", (b"", b"short"), (b"", b"long" * 9), timestamp=ANNOUNCED)
    broker.produce("live", *[(b"", v) for v in values(5.75, 8.75)], timestamp=ANNOUNCED)

    report = run(bad_records=BadRecordPolicy(limit=2))

    assert (2,) == report.labelled


def test_endless(run, broker, backend):
    """Every better model is handed in; the first mini-batch only sets the mark."""
    announce(broker, 5.875, 6.5, 7.75, 8.75, 6.75, 4.75, 1, 2, validation_rate=0.2)

    report = run(**ENDLESS)

    assert (1, 2, 2) == report.labelled
    deliveries = [
        (d.report.indefinite, d.report.labelled, len(d.report.history))
        for d in backend.deliveries
    ]
    assert [(True, (1, 2), 9), (True, (1, 2, 2), 12), (False, (1, 2, 2), 12)] == (
        deliveries
    )


class TestRefused:
    @pytest.fixture
    def skipped(self, run, broker, backend, caplog):
        """Return a function that announces something, and why it was skipped."""

        def reason(parts=EMPTY, **fields):
            announce(broker, **fields)
            announce(broker, 5.875, 6.5, 1, 2, validation_rate=0.2)
            with caplog.at_level(logging.WARNING):
                run(**parts)
            (line,) = logged(caplog, "control message skipped")
            assert [False] == [d.report.indefinite for d in backend.deliveries]
            return line.reason

        return reason

    def test_range(self, skipped):
        """A range is no stream that comes."""
        reason = skipped(unsupervised_topic="live:0:0:4")

        assert reason.startswith("unsupervised_topic: live[0]@0..4 is a range")

    def test_no_validation(self, skipped):
        """Without validation nobody can tell which models are better."""
        reason = skipped(ENDLESS)

        assert reason.startswith("validation_rate 0")

    def test_no_labels(self, skipped):
        """Without a labelled record there is nothing to begin with."""
        assert "nowhere" in skipped(topic="nowhere:0:0:4")


def test_supervised(run, broker):
    """A message without unlabelled records is that of case 2."""
    announce(broker, topic="live", total_msg=None, unsupervised_topic=None)
    broker.produce(
        "live", *[(bytes([i]), values(i)[0]) for i in range(4)], timestamp=ANNOUNCED
    )

    report = run()

    assert 2 == len(report.history)
    assert StreamCounts(4, 4, 0) == report.stream
    assert () == report.labelled


class TestState:
    @pytest.mark.parametrize("at", range(1, 13))
    def test_killed(self, run, broker, backend, trainer, at):
        """The next process goes on behind the latest mini-batch."""
        announce(broker, 5.75, 6.5, 7.25, 8.75, 6.75, 4.75, validation_rate=0.2)
        order = NumpySampler(0, stratified=False).order
        expected = run("undisturbed", order=order)
        undisturbed = list(trainer.passes)
        trainer.passes.clear()
        backend.deliveries.clear()

        with pytest.raises(Killed):
            run(order=order, on_event=dying(at))
        del trainer.passes[(at - 1) // 3 * 3 :]  # of the mini-batch that was begun
        kept = at > 3  # the labelled stream need not be there any more
        source = {"stream_source": Away(broker)} if kept else {}
        report = run(order=order, **source)

        assert undisturbed == trainer.passes
        assert evolve(expected, training_time=0) == evolve(report, training_time=0)
        assert 1 == len(backend.deliveries)

    def test_killed_while_delivering(self, run, broker, backend):
        """A better model that was not accepted yet is handed in by the next process."""
        announce(broker, 5.875, 6.5, 7.75, 8.75, 1, 2, validation_rate=0.2)

        class Gone:
            report_progress = backend.report_progress

            def deliver(self, report, model):
                raise Unavailable("away")

        with pytest.raises(Unavailable):
            run(result_sink=Gone(), **ENDLESS)
        report = run(**ENDLESS)

        assert [(True, (1, 2)), (False, (1, 2))] == [
            (d.report.indefinite, d.report.labelled) for d in backend.deliveries
        ]
        assert 9 == len(report.history)

    def test_format_settled(self, run, broker, trainer):
        """What an open format settles by a labelled record stays settled."""
        rows = [(b"%d" % i, b'{"x": %d, "y": 0}' % i) for i in range(10)]
        broker.produce("json", *rows)
        announce(broker, topic="json:0:0:10", input_format="JSON", input_config={})
        later = [b'{"y": 0, "x": 5.75}', b'{"y": 0, "x": 6.5}', b'{"y": 0, "x": 8.75}']
        broker.produce("live", *[(b"00", v) for v in later], timestamp=ANNOUNCED)

        with pytest.raises(Killed):
            run(on_event=dying(7))
        report = run(stream_source=Away(broker))

        assert (1, 1) == report.labelled
        assert [*KNOWN, (5.75, 5.0), (8.75, 8.0)] == trainer.passes[-1]

    def test_labels_lost(self, run, broker, trainer, tmp_path, caplog):
        """Without what was labelled there is no going on: training begins anew."""
        announce(broker, 5.75, 6.5, 7.25, 8.75)
        with pytest.raises(Killed):
            run(on_event=dying(8))
        trainer.passes.clear()
        (marks,) = (tmp_path / "state").rglob("spool/marks")
        marks.unlink()

        with caplog.at_level(logging.WARNING):
            report = run()

        assert logged(
            caplog, "training starts over: what was labelled is not there any more"
        )
        assert (1, 1) == report.labelled
        assert 9 == len(trainer.passes)

    def test_once(self, run, broker, backend, trainer):
        """A result that was accepted is not made again."""
        announce(broker, 5.75, 8.75)
        run()
        passes = len(trainer.passes)
        run()

        assert passes == len(trainer.passes)
        assert 1 == len(backend.deliveries)
