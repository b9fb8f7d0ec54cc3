"""The job, with the shipped fakes behind its ports."""

from __future__ import annotations

import logging
import re
from itertools import count

import pytest

from adapters.formats import Formats
from adapters.memory.backend import MemoryBackend
from adapters.memory.broker import MemoryBroker
from adapters.memory.journal import MemoryJournal
from adapters.memory.trainer import FakeModel, FakeTrainer
from adapters.raw import RawDecoder
from adapters.sampling import NumpySampler
from adapters.spool import SpoolFor, SpoolSettings
from domain.bad_records import BadRecordPolicy
from domain.batches import BinaryColumn, RecordBatch
from domain.errors import (
    DeploymentInvalid,
    ModelInvalid,
    TrainingFailed,
    Unavailable,
)
from domain.report import EpochMetrics, StreamCounts
from domain.request import DeploymentId
from domain.split import split_batches, split_records
from domain.train_deployment import TrainDeployment
from tests.builders import RAW_CONFIG, control_message

KEY = b"\x07"


class Picky(FakeTrainer):
    """A trainer whose models take no more than four examples."""

    def load(self, model):
        return PickyModel(model.read_bytes(), self.epochs, self.workdir)


class PickyModel(FakeModel):
    def fit(self, training, *others):
        super().fit(training, *others)
        if len(training) > 4:
            raise TrainingFailed("more than four examples")


@pytest.fixture
def broker():
    """Ten examples, the label being the position."""
    broker = MemoryBroker(batch_size=3)
    broker.produce("automl", *[(bytes([i]), bytes(8)) for i in range(10)])
    broker.create("control")
    return broker


@pytest.fixture
def backend(tmp_path):
    return MemoryBackend(b"untrained", tmp_path)


@pytest.fixture
def job(broker, backend, tmp_path):
    """Return a function that makes the job, with other parts if need be."""

    def make(**parts):
        return TrainDeployment(
            **{
                "deployment_id": DeploymentId(7),
                "control_source": broker,
                "stream_source": broker,
                "decoder_for": Formats({"RAW": RawDecoder.from_options}),
                "spool_for": SpoolFor(SpoolSettings()),
                "split": split_records,
                "model_repository": backend,
                "trainer": FakeTrainer(epochs=3, workdir=tmp_path),
                "result_sink": backend,
                "journal": MemoryJournal(tmp_path, lasting=False),
                "wants_confusion_matrix": True,
                "clock": count(step=5).__next__,
                **parts,
            }
        )

    return make


def announce(broker, key=KEY, **fields):
    body = {"topic": "automl:0:0:10", "total_msg": 10, **fields}
    broker.produce("control", (key, control_message(**body)))


class TestResult:
    def test_delivered(self, job, broker, backend):
        """The report and the trained model are handed in, and returned."""
        announce(broker, validation_rate=0.2, test_rate=0.3)

        report = job().run()

        (delivery,) = backend.deliveries
        assert report == delivery.report
        assert b"untrained\ntrained for 3 epochs by FakeTrainer" == delivery.model
        assert (
            EpochMetrics(
                {"loss": 1 / 2, "accuracy": 1 / 2}, {"loss": 1 / 2, "accuracy": 1 / 2}
            )
            == report.history[0]
        )
        assert {"loss": 1 / 4, "accuracy": 3 / 4} == report.test
        assert 5 == report.training_time

    def test_progress(self, job, broker, backend):
        """After every epoch all epochs so far are reported."""
        announce(broker)

        report = job().run()

        assert [
            report.history[:1],
            report.history[:2],
            report.history,
        ] == backend.progress

    def test_confusion_matrix_over_the_test_part(self, job, broker, backend):
        """Records 5, 6 and 7 are the test part: training comes first, then the test."""
        announce(broker, validation_rate=0.2, test_rate=0.3)

        report = job().run()

        assert (5, 6, 7) == report.confusion_matrix.labels

    def test_confusion_matrix_not_wanted(self, job, broker):
        """It is made only if the platform asked for it."""
        announce(broker, validation_rate=0.2, test_rate=0.3)

        assert job(wants_confusion_matrix=False).run().confusion_matrix is None

    def test_no_parts(self, job, broker):
        """Without rates nothing is validated, tested or compared."""
        announce(broker)

        report = job().run()

        assert ({}, {}, None) == (
            report.history[0].validation,
            report.test,
            report.confusion_matrix,
        )

    def test_dialect_of_2020(self, job, broker):
        """Held-out batches are evaluated after training, not after every epoch."""
        announce(broker, validation_rate=0.25)

        report = job(split=split_batches(2)).run()

        assert {} == report.history[0].validation
        assert {"loss": 1 / 4, "accuracy": 3 / 4} == report.test
        assert (6, 7, 8, 9) == report.confusion_matrix.labels


class TestPreparation:
    @pytest.fixture
    def steps(self):
        return []

    @pytest.fixture
    def noting(self, job, broker, tmp_path, steps):
        """A job whose trainer and stream note what they are asked for."""

        class NotingTrainer(FakeTrainer):
            def prepare(self):
                steps.append("prepare")

            def load(self, model):
                steps.append("load")
                return super().load(model)

        class NotingSource:
            read = broker.read

            def resolve(self, ranges):
                steps.append("look up")
                return broker.resolve(ranges)

        return job(trainer=NotingTrainer(3, tmp_path), stream_source=NotingSource())

    def test_beside_the_stream(self, noting, broker, steps):
        """The trainer prepares while the stream is looked up and read."""
        announce(broker)

        noting.run()

        assert ["prepare", "look up", "load"] == steps

    def test_only_for_something(self, noting, broker, steps):
        """It does not for others' messages, nor for one that says nothing."""
        announce(broker, key=b"\x08")
        announce(broker, input_format="XML")
        announce(broker)

        noting.run()

        assert 1 == steps.count("prepare")


class Compacted(MemoryBroker):
    """A broker whose cleaner has removed a record."""

    def read(self, ranges):
        for batch in super().read(ranges):
            kept = [i for i, offset in enumerate(batch.offsets) if offset != 3]
            yield RecordBatch(
                batch.topic,
                batch.partition,
                [batch.offsets[i] for i in kept],
                BinaryColumn.pack([bytes(batch.keys[i]) for i in kept]),
                BinaryColumn.pack([bytes(batch.values[i]) for i in kept]),
            )


class TestStream:
    def test_counts(self, job, broker):
        """The report says what it was trained on."""
        announce(broker)

        assert StreamCounts(10, 10, 0) == job().run().stream

    @pytest.mark.parametrize("announced", [10, None])
    def test_gaps(self, job, broker, announced):
        """A missing record shortens the last part; every epoch is of the same parts."""
        announce(broker, total_msg=announced, validation_rate=0.2, test_rate=0.3)
        compacted = Compacted(batch_size=3)
        compacted.produce("automl", *[(bytes([i]), bytes(8)) for i in range(10)])

        report = job(stream_source=compacted).run()

        # Of 10: 5 train, 3 test, and of the last 2 one is missing.  Of 9: 4, 2 and 3.
        classes = (6, 7, 8) if announced else (5, 6)
        assert StreamCounts(10, 9, 0) == report.stream
        assert classes == report.confusion_matrix.labels
        assert 3 == len(report.history)
        assert report.history[0].validation

    def test_stream_breaks_off_behind_the_parts(self, job, broker, backend, caplog):
        """Records that no part needs must be readable all the same."""
        broker.produce("automl", (b"\x01", b"short"))
        announce(broker, topic="automl:0:0:11", total_msg=10)
        announce(broker)

        with caplog.at_level(logging.WARNING):
            job().run()

        (skipped,) = [r for r in caplog.records if "skipped" in r.message]
        assert "automl[0]@10: data has 5 bytes" in skipped.reason
        assert StreamCounts(10, 10, 0) == backend.deliveries[0].report.stream

    def test_skipped_records(self, job, broker):
        """Bad records within the policy are left out, and counted."""
        broker.produce("automl", (b"\x01", b"short"))
        announce(broker, topic="automl:0:0:11", total_msg=11)

        report = job(bad_records=BadRecordPolicy(limit=1)).run()

        assert StreamCounts(11, 10, 1) == report.stream


class TestSampler:
    def test_fair_parts(self, job, broker):
        """Parts are drawn from the whole stream, though the labels come sorted."""
        announce(broker, validation_rate=0.2, test_rate=0.3)

        report = job(sampler=NumpySampler(3, stratified=False)).run()

        labels = report.confusion_matrix.labels
        assert 3 == len(labels)
        assert labels != (5, 6, 7)

    def test_again(self, job, broker):
        """The same stream gives the same parts, however its records arrive."""
        announce(broker, validation_rate=0.2, test_rate=0.3)
        slow = MemoryBroker(batch_size=1)
        slow.produce("automl", *[(bytes([i]), bytes(8)) for i in range(10)])
        sampler = NumpySampler(3, stratified=False)

        reports = [job(sampler=sampler, stream_source=s).run() for s in (broker, slow)]

        assert reports[0].confusion_matrix == reports[1].confusion_matrix

    def test_gaps(self, job, broker):
        """What is shared out is what came, whatever was announced."""
        announce(broker, validation_rate=0.2, test_rate=0.3)
        compacted = Compacted(batch_size=3)
        compacted.produce("automl", *[(bytes([i]), bytes(8)) for i in range(10)])

        report = job(
            stream_source=compacted, sampler=NumpySampler(3, stratified=False)
        ).run()

        assert StreamCounts(10, 9, 0) == report.stream
        assert 3 == len(report.history)

    def test_impossible(self, job, broker, backend, caplog):
        """Labels that cannot be shared out are the message's fault."""
        broker.produce("words", *[(b"\x00\x00\xc0\x3f", bytes(8))] * 4)
        config = {**RAW_CONFIG, "label_type": "float32"}
        announce(broker, topic="words:0:0:4", total_msg=4, input_config=config)
        announce(broker)

        with caplog.at_level(logging.WARNING):
            job(sampler=NumpySampler(None, stratified=True)).run()

        (skipped,) = [r for r in caplog.records if "skipped" in r.message]
        assert skipped.reason.startswith("STREAMFIT_SPLIT=stratified: ")
        assert 1 == len(backend.deliveries)


class TestEmptyParts:
    @pytest.mark.parametrize(
        ("rates", "warned"),
        [
            ({"validation_rate": 0.01}, ["validation"]),
            ({"test_rate": 0.01}, ["test"]),
            ({"validation_rate": 0.01, "test_rate": 0.2}, ["validation"]),
            ({"validation_rate": 0.2, "test_rate": 0.2}, []),
            ({}, []),
        ],
    )
    def test_warned(self, job, broker, backend, caplog, rates, warned):
        """A part that was asked for but got nothing is no part; the log says so."""
        announce(broker, **rates)

        with caplog.at_level(logging.WARNING):
            job().run()

        messages = [r.message for r in caplog.records if "no example" in r.message]
        assert [
            {
                "validation": "no example is left for validation",
                "test": "no example is left for the test",
            }[part]
            for part in warned
        ] == messages
        assert 1 == len(backend.deliveries)

    def test_of_2020(self, job, broker, caplog):
        """What that dialect calls validation is there."""
        announce(broker, validation_rate=0.25)

        with caplog.at_level(logging.WARNING):
            job(split=split_batches(2)).run()

        assert not [r for r in caplog.records if "no example" in r.message]


class TestControlTopic:
    def test_others(self, job, broker, backend):
        """Messages for nobody and for other deployments are passed by, unopened."""
        broker.produce("control", (None, b"broken"), (b"\x08", b"broken"))
        announce(broker)

        job().run()

        assert 1 == len(backend.deliveries)

    def test_first_match_wins(self, job, broker, backend):
        """A later message for the same deployment changes nothing."""
        announce(broker, topic="automl:0:0:4", total_msg=4)
        announce(broker)

        job(trainer=FakeTrainer()).run()

        assert 1 == len(backend.deliveries)

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"topic": "automl:0:0:99"}, r"automl\[0\]@0..99"),
            ({"topic": "nowhere:0:0:1"}, "nowhere"),
            ({"input_format": "JSON"}, "'JSON' is not served"),
            ({"validation_rate": 1}, "0 records to train on"),
            ({"topic": "automl:0:3:3"}, "0 records to train on"),
            ({"total_msg": "ten"}, "total_msg"),
        ],
    )
    def test_skipped(self, job, broker, backend, caplog, fields, reason):
        """What cannot be honoured is logged with its position; the next one counts."""
        announce(broker, **fields)
        announce(broker)

        with caplog.at_level(logging.WARNING):
            job().run()

        (skipped,) = [r for r in caplog.records if "skipped" in r.message]
        assert "control[0]@0" == skipped.position
        assert re.search(reason, skipped.reason)
        assert 1 == len(backend.deliveries)

    def test_training_fails(self, job, broker, backend, tmp_path):
        """A stream that does not suit the model leaves nothing behind for the next."""
        announce(broker, validation_rate=0.2)
        announce(broker, topic="automl:0:0:4", total_msg=4)

        job(trainer=Picky(epochs=3, workdir=tmp_path)).run()

        (delivery,) = backend.deliveries
        assert delivery.model.endswith(b"trained for 3 epochs by FakeTrainer")

    def test_topic_ends(self, job):
        """A control topic that ends without a message is no success."""
        with pytest.raises(Unavailable, match="control topic ended"):
            job().run()


class TestBackEnd:
    def test_no_model(self, job, broker, backend):
        """Without a model no message is read."""
        announce(broker)
        backend.model = None

        with pytest.raises(ModelInvalid):
            job().run()

    def test_broken_model(self, job, broker, backend):
        """A model that the trainer does not know is found out before the wait."""
        announce(broker, total_msg="broken")
        backend.model = b""

        with pytest.raises(ModelInvalid):
            job().run()

    def test_result_refused(self, job, broker, backend):
        """A refused result ends the job; it does not move on to the next message."""
        announce(broker)
        announce(broker)
        backend.accepting = False

        with pytest.raises(DeploymentInvalid):
            job().run()


class TestJournal:
    @pytest.fixture
    def journal(self, tmp_path):
        return MemoryJournal(tmp_path)

    @pytest.fixture
    def counted(self, tmp_path):
        """A trainer that counts what it is asked to load."""

        class Counting(FakeTrainer):
            loaded = 0

            def load(self, model):
                Counting.loaded += 1
                return super().load(model)

        return Counting(epochs=3, workdir=tmp_path)

    def test_not_trained_twice(self, job, broker, backend, journal, counted):
        """A job that is started again after its delivery returns the same report."""
        announce(broker)
        first = job(journal=journal, trainer=counted).run()
        announce(broker)  # as the platform does without end

        again = job(journal=journal, trainer=counted).run()

        assert first == again
        assert 1 == counted.loaded
        assert 1 == len(backend.deliveries)

    def test_delivered_after_a_failure(self, job, broker, backend, journal, counted):
        """What could not be delivered is delivered later, and not trained again."""

        class Away(MemoryBackend):
            def deliver(self, report, model):
                raise Unavailable("away")

        announce(broker)
        with pytest.raises(Unavailable, match="away"):
            job(
                journal=journal,
                trainer=counted,
                result_sink=Away(b"", counted.workdir),
            ).run()

        report = job(journal=journal, trainer=counted).run()

        assert 1 == counted.loaded
        ((delivered, model),) = [(d.report, d.model) for d in backend.deliveries]
        assert report == delivered
        assert model.endswith(b"trained for 3 epochs by FakeTrainer")

    def test_other_settings(self, job, broker, backend, journal, counted):
        """With other settings it is another training."""
        announce(broker)
        job(journal=journal, trainer=counted).run()

        job(journal=journal, trainer=counted, fingerprint="another").run()

        assert 2 == counted.loaded
        assert 2 == len(backend.deliveries)

    def test_other_model(self, job, broker, backend, journal, counted, tmp_path):
        """Of another model it is another training."""
        announce(broker)
        job(journal=journal, trainer=counted).run()
        other = MemoryBackend(b"another", tmp_path)

        job(journal=journal, trainer=counted, model_repository=other).run()

        assert 2 == counted.loaded
        assert 2 == len(backend.deliveries)

    def test_other_request(self, job, broker, backend, journal, counted):
        """A request with other rates is trained on, though it names the same data."""
        announce(broker)
        job(journal=journal, trainer=counted).run()
        other = MemoryBroker()
        other.produce("automl", *[(bytes([i]), bytes(8)) for i in range(10)])
        announce(other, validation_rate=0.5)

        job(
            journal=journal,
            trainer=counted,
            control_source=other,
            stream_source=other,
        ).run()

        assert 2 == counted.loaded
