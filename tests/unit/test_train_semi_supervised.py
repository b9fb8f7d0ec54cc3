"""The job that labels examples itself, with the shipped fakes behind its ports."""

from __future__ import annotations

import logging
from contextlib import closing
from itertools import count

import numpy as np
import pytest
from attrs import evolve

from adapters.formats import Formats
from adapters.labelling import NumpyLabeller
from adapters.memory.backend import MemoryBackend
from adapters.memory.broker import MemoryBroker
from adapters.memory.journal import MemoryJournal
from adapters.memory.rejected_records import MemoryRejectedRecords
from adapters.memory.trainer import FakeModel, FakeTrainer
from adapters.raw import RawDecoder
from adapters.sampling import NumpySampler
from adapters.spool import SpoolFor, SpoolSettings
from adapters.state import FolderJournal
from domain.bad_records import BadRecordPolicy
from domain.report import StreamCounts
from domain.request import DeploymentId
from domain.split import split_records
from domain.train_deployment import TrainDeployment
from domain.train_semi_supervised import TrainSemiSupervised
from tests.builders import RAW_CONFIG, control_message
from tests.watching import Away, Killed, Watching, WatchingModel, dying, values

KEY = b"\x07"
UNLABELLED = [5.75, 6.5, 7.25, 8.75]
"""Classes 5 to 8, of which the fake is sure after 3, 6, 9 and 3 epochs."""


@pytest.fixture
def broker():
    """Ten examples of which the label is the position, and four without a label."""
    broker = MemoryBroker(batch_size=3)
    broker.produce("automl", *[(bytes([i]), values(i)[0]) for i in range(10)])
    broker.produce("more", *[(b"00", value) for value in values(*UNLABELLED)])
    broker.create("control")
    return broker


@pytest.fixture
def backend(tmp_path):
    return MemoryBackend(b"untrained", tmp_path)


@pytest.fixture
def trainer(tmp_path):
    return Watching(epochs=3, workdir=tmp_path)


@pytest.fixture
def job(broker, backend, trainer, tmp_path):
    """Return a function that makes the job, with other parts if need be."""

    def make(**parts):
        ports = {
            "deployment_id": DeploymentId(7),
            "control_source": broker,
            "stream_source": broker,
            "decoder_for": Formats({"RAW": RawDecoder.from_options}),
            "spool_for": SpoolFor(SpoolSettings()),
            "split": split_records,
            "model_repository": backend,
            "trainer": trainer,
            "result_sink": backend,
            "journal": MemoryJournal(tmp_path, lasting=False),
            "wants_confusion_matrix": True,
            "clock": count(step=5).__next__,
        }
        return TrainSemiSupervised(
            **{
                **ports,
                "supervised": TrainDeployment(
                    **{**ports, "trainer": FakeTrainer(2, tmp_path)}
                ).serve,
                "labeller": NumpyLabeller(0.9),
                "rounds": 5,
                **parts,
            }
        )

    return make


def announce(broker, **fields):
    body = {
        "topic": "automl:0:0:10",
        "total_msg": 10,
        "unsupervised_topic": "more:0:0:4",
        **fields,
    }
    broker.produce("control", (KEY, control_message(**body)))


def logged(caplog, message):
    return [r for r in caplog.records if r.message == message]


class TestRounds:
    def test_labels(self, job, broker, trainer):
        """What the model is sure of joins the training part, and stays in it."""
        announce(broker)

        report = job().run()

        known = [(float(i), float(i)) for i in range(10)]
        first = [*known, (5.75, 5.0), (8.75, 8.0)]
        second = [*first, (6.5, 6.0)]
        third = [*second, (7.25, 7.0)]
        expected = [part for part in (known, first, second, third) for _ in range(3)]
        assert expected == trainer.passes
        assert (2, 1, 1) == report.labelled

    def test_histories_are_chained(self, job, broker, backend):
        """Every round adds its epochs, and each is reported with all before it."""
        announce(broker, validation_rate=0.2)

        report = job().run()

        losses = [epoch.training["loss"] for epoch in report.history]
        assert [1 / (n + 1) for n in range(1, 13)] == losses
        assert all(epoch.validation for epoch in report.history)
        assert list(range(1, 13)) == [len(history) for history in backend.progress]
        assert report.history == backend.progress[-1]
        (delivery,) = backend.deliveries
        assert report == delivery.report
        assert delivery.model.endswith(b"trained for 12 epochs by FakeTrainer")
        assert 5 == report.training_time

    @pytest.mark.parametrize(("rounds", "labelled"), [(0, ()), (1, (2,)), (2, (2, 1))])
    def test_no_more_rounds(self, job, broker, rounds, labelled):
        """There are as many as were asked for, at most."""
        announce(broker)

        report = job(rounds=rounds).run()

        assert labelled == report.labelled
        assert 3 * (1 + len(labelled)) == len(report.history)

    def test_never_sure(self, job, broker, caplog):
        """Without a sure guess there is nothing to train on once more."""
        announce(broker)

        with caplog.at_level(logging.INFO):
            report = job(labeller=NumpyLabeller(0.999)).run()

        assert () == report.labelled
        assert 3 == len(report.history)
        (line,) = logged(caplog, "examples labelled")
        assert (1, 0, 4) == (line.round, line.labelled, line.remaining)

    def test_log(self, job, broker, caplog):
        """Every round says how many were labelled and how many remain."""
        announce(broker)

        with caplog.at_level(logging.INFO):
            job(rounds=2).run()

        lines = logged(caplog, "examples labelled")
        assert [(1, 2, 2), (2, 1, 1)] == [
            (line.round, line.labelled, line.remaining) for line in lines
        ]
        (end,) = logged(caplog, "semi-supervised training has ended")
        assert ([2, 1], 1) == (end.labelled_per_round, end.remaining)

    def test_no_unlabelled_record(self, job, broker):
        """An empty stream of them is none to wait for."""
        announce(broker, unsupervised_topic="more:0:2:2")

        report = job().run()

        assert () == report.labelled
        assert 3 == len(report.history)


class TestParts:
    def test_split(self, job, broker, trainer):
        """The labelled stream is shared out as ever; test and validation stay apart."""
        announce(broker, validation_rate=0.2, test_rate=0.3)

        report = job().run()

        known = [(float(i), float(i)) for i in range(5)]
        assert known == trainer.passes[0]
        assert [*known, (5.75, 5.0), (8.75, 8.0)] == trainer.passes[3]
        assert (5, 6, 7) == report.confusion_matrix.labels
        assert report.test
        assert StreamCounts(10, 10, 0) == report.stream

    def test_no_validation(self, job, broker):
        """Training goes without a validation part."""
        announce(broker)

        assert {} == job().run().history[0].validation

    def test_nothing_to_train_on(self, job, broker, backend, caplog):
        """Nothing to begin with is the message's fault."""
        announce(broker, validation_rate=1)
        announce(broker)

        with caplog.at_level(logging.WARNING):
            job().run()

        (skipped,) = logged(caplog, "control message skipped")
        assert skipped.reason.startswith("0 records to train on")
        assert 1 == len(backend.deliveries)

    def test_order(self, job, broker, trainer):
        """Every epoch of every round has an order of its own, which can be repeated."""
        announce(broker)

        job(order=NumpySampler(0, stratified=False).order).run()
        first = list(trainer.passes)
        trainer.passes.clear()
        job(order=NumpySampler(0, stratified=False).order).run()

        assert first == trainer.passes
        assert sorted(first[0]) == sorted(first[1])
        assert len(first) == len(set(map(tuple, first)))
        alike = [[one for one in part if one[0] in range(10)] for part in first]
        assert len(alike) == len(set(map(tuple, alike)))

    def test_sampler(self, job, broker, trainer):
        """Parts may be drawn from the whole labelled stream."""
        announce(broker, validation_rate=0.2, test_rate=0.3)

        report = job(sampler=NumpySampler(3, stratified=False)).run()

        labels = report.confusion_matrix.labels
        assert labels != (5, 6, 7)
        assert not {y for _, y in trainer.passes[0]} & set(labels)
        assert (5.75, 5.0) in trainer.passes[3]


class TestUnlabelled:
    def test_supervised(self, job, broker, backend):
        """A message without unlabelled records is trained on as if nothing were."""
        announce(broker, unsupervised_topic=None)

        report = job().run()

        assert 2 == len(report.history)
        assert () == report.labelled
        assert 1 == len(backend.deliveries)

    @pytest.mark.parametrize("key", [None, b"", b"00", b"0", b"much too long a key"])
    def test_keys(self, job, broker, key):
        """Keys are ignored, whatever they are."""
        broker.produce("odd", *[(key, value) for value in values(*UNLABELLED)])
        announce(broker, unsupervised_topic="odd:0:0:4")

        assert (2, 1, 1) == job().run().labelled

    def test_first_record_bad(self, job, broker):
        """The key that decoders see is that of a good labelled record."""
        broker.produce("rough", (b"\x01", b"short"), (b"long", values(1)[0]))
        broker.produce("rough", *[(bytes([i]), values(i)[0]) for i in range(8)])
        announce(broker, topic="rough:0:0:10")

        report = job(bad_records=BadRecordPolicy(limit=2)).run()

        assert (2, 1, 1) == report.labelled
        assert StreamCounts(10, 8, 2) == report.stream

    @pytest.mark.parametrize("reshape", ["2", "-1"])
    def test_bad_records(self, job, broker, reshape):
        """Those that are not like the labelled ones are bad, and borne as such."""
        broker.produce("some", (None, b"short"), (None, bytes(12)))
        broker.produce("some", *[(None, value) for value in values(*UNLABELLED)])
        config = {**RAW_CONFIG, "data_reshape": reshape}
        announce(broker, unsupervised_topic="some:0:0:6", input_config=config)
        policy = BadRecordPolicy(limit=None, divert=True)
        diverted = MemoryRejectedRecords()

        report = job(bad_records=policy, rejected_records=diverted).run()

        assert (2, 1, 1) == report.labelled
        assert ["0", "1"] == [letter.origin["offset"] for letter in diverted.letters]

    def test_bad_records_not_borne(self, job, broker, backend, caplog):
        """By default a bad record is one too many."""
        broker.produce("some", (None, b"short"))
        announce(broker, unsupervised_topic="some:0:0:1")
        announce(broker)

        with caplog.at_level(logging.WARNING):
            job().run()

        (skipped,) = logged(caplog, "control message skipped")
        assert "some[0]@0: data has 5 bytes" in skipped.reason
        assert 1 == len(backend.deliveries)

    def test_not_there(self, job, broker, backend, caplog):
        """Ranges that are not there are named."""
        announce(broker, unsupervised_topic="nowhere:0:0:4")
        announce(broker)

        with caplog.at_level(logging.WARNING):
            job().run()

        (skipped,) = logged(caplog, "control message skipped")
        assert "nowhere" in skipped.reason
        assert 1 == len(backend.deliveries)

    @pytest.mark.parametrize(
        ("shape", "written"),
        [("", np.uint8(5)), ("1", np.uint8([5])), ("9", np.eye(9, dtype=np.uint8)[5])],
    )
    def test_labels_look_like_labels(self, job, broker, tmp_path, shape, written):
        """A class is written as the stream writes it: number, array or one-hot."""
        size = np.asarray(written).size
        broker.produce("like", *[(bytes(size), value) for value in values(1, 2)])
        found = []

        class Noting(FakeTrainer):
            def load(self, model):
                loaded = super().load(model)
                return NotingModel(loaded.content, self.epochs, self.workdir)

        class NotingModel(FakeModel):
            def fit(self, training, *others):
                super().fit(training, *others)
                found.append([batch.labels for batch in training.batches(99)])

        announce(
            broker,
            topic="like:0:0:2",
            total_msg=2,
            unsupervised_topic="more:0:0:1",
            input_config={**RAW_CONFIG, "label_reshape": shape},
        )
        job(trainer=Noting(3, tmp_path)).run()

        last = np.asarray(found[-1][-1])[-1]
        assert last.dtype == np.uint8
        np.testing.assert_array_equal(written, last)

    def test_labels_of_no_classes(self, job, broker, backend, caplog, tmp_path):
        """Labels that cannot name the model's classes are the message's fault."""
        broker.produce("like", *[(bytes(2), value) for value in values(1, 2)])
        announce(
            broker,
            topic="like:0:0:2",
            total_msg=2,
            input_config={**RAW_CONFIG, "label_reshape": "2"},
        )
        announce(broker)

        with caplog.at_level(logging.WARNING):
            job(trainer=FakeTrainer(3, tmp_path)).run()

        (skipped,) = logged(caplog, "control message skipped")
        assert "labels of uint8 and shape (2,)" in skipped.reason
        assert 1 == len(backend.deliveries)


class TestState:
    @pytest.fixture
    def run(self, job, tmp_path):
        """Return a function that runs a job as a process of its own would."""

        def run(**parts):
            with closing(FolderJournal(tmp_path / "state")) as journal:
                return job(journal=journal, **parts).run()

        return run

    @pytest.mark.parametrize("at", range(1, 13))
    def test_killed(self, run, job, broker, backend, trainer, at):
        """The next process goes on in the same round, with the labels of those before.

        Streams are not read again.
        """
        order = NumpySampler(0, stratified=False).order
        announce(broker, validation_rate=0.2, test_rate=0.1)
        expected = job(order=order).run()
        undisturbed = list(trainer.passes)
        trainer.passes.clear()
        backend.deliveries.clear()

        with pytest.raises(Killed):
            run(order=order, on_event=dying(at))
        away = broker
        if at > 3:  # both streams have been read to their ends
            away = Away(broker)
        report = run(order=order, stream_source=away)

        assert undisturbed[at - 1] == trainer.passes.pop(at - 1)  # was not kept
        assert undisturbed == trainer.passes
        (delivery,) = backend.deliveries
        assert evolve(expected, training_time=0) == evolve(report, training_time=0)
        assert delivery.model.endswith(b"trained for 12 epochs by FakeTrainer")

    def test_killed_again_and_again(self, run, job, broker, backend, trainer):
        """Labels of a round that was begun twice count once."""
        announce(broker)
        expected = job().run()
        undisturbed = list(trainer.passes)
        trainer.passes.clear()

        for at in (4, 1, 1, 4, 1):
            with pytest.raises(Killed):
                run(on_event=dying(at))
        report = run()

        assert undisturbed[-6:] == trainer.passes[-6:]
        assert expected.labelled == report.labelled
        assert expected.history == report.history
        assert 2 == len(backend.deliveries)

    def test_other_version(self, run, job, broker, trainer, tmp_path):
        """A checkpoint that the trainer cannot use costs all rounds, not only one."""

        class OtherVersion(Watching):
            def load(self, model):
                loaded = super().load(model)
                forgetful = OtherModel(loaded.content, self.epochs, self.workdir)
                forgetful.passes = self.passes
                return forgetful

        class OtherModel(WatchingModel):
            def fit(
                self,
                training,
                validation,
                on_epoch_end,
                checkpoints=None,
                on_steps=None,
            ):
                if checkpoints is not None and checkpoints.latest is not None:
                    checkpoints.start_over()
                super().fit(training, validation, on_epoch_end, checkpoints, on_steps)

        announce(broker)
        expected = job().run()
        undisturbed = list(trainer.passes)
        with pytest.raises(Killed):
            run(on_event=dying(8))
        trainer.passes.clear()

        report = run(trainer=OtherVersion(3, tmp_path, trainer.passes))

        assert undisturbed == trainer.passes
        assert expected.labelled == report.labelled
        assert expected.history == report.history

    def test_labels_lost(self, run, job, broker, trainer, tmp_path, caplog):
        """Without what was labelled there is no going on: training begins anew."""
        announce(broker)
        expected = job().run()
        undisturbed = list(trainer.passes)
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
        assert undisturbed == trainer.passes
        assert expected.labelled == report.labelled

    def test_once(self, run, broker, backend, trainer):
        """A result that was accepted is not made again; others are others."""
        announce(broker)
        run()
        passes = len(trainer.passes)
        run()

        assert passes == len(trainer.passes)
        assert 1 == len(backend.deliveries)
        assert (2, 1, 1) == run().labelled
