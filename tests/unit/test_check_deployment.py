"""A look at a deployment, with the shipped fakes behind the ports."""

from __future__ import annotations

import attrs
import pytest
from attrs import frozen

from adapters.formats import Formats
from adapters.label_counts import label_counts
from adapters.memory.backend import MemoryBackend
from adapters.memory.broker import MemoryBroker
from adapters.memory.journal import MemoryJournal
from adapters.memory.trainer import FakeTrainer
from adapters.raw import RawDecoder
from adapters.spool import SpoolFor, SpoolSettings
from domain.bad_records import BadRecordPolicy
from domain.checking.deployment import CheckDeployment
from domain.checking.findings import Verdict
from domain.checking.messages import CheckMessages
from domain.checking.model import CheckModel
from domain.checking.request import CheckRequest
from domain.errors import (
    DeploymentInvalid,
    MalformedRequest,
    ModelInvalid,
    ServiceError,
    SettingsInvalid,
    SpoolFull,
    StreamUnreadable,
    TrainingFailed,
    Unavailable,
)
from domain.events import RequestSkipped
from domain.mini_batches import Pace
from domain.offsets import RequestedRange
from domain.request import DeploymentId
from domain.split import split_records
from domain.train_deployment import TrainDeployment
from domain.train_incrementally import TrainIncrementally
from domain.train_semi_supervised_live import TrainSemiSupervisedLive
from ports import ControlSource, ModelPart, Room, Storage
from tests.builders import RAW_CONFIG, control_message

KEY = b"\x07"
ANNOUNCED = 1_000_000
OK, WARNING, FAULT, NOT_CHECKED = Verdict


@frozen
class Disk(Storage):
    """A place of so many bytes, for examples of ten bytes."""

    free: int = 1000
    needed: bool = True

    def rooms(self, spec, examples, model):
        need = None if spec is None else 10 * examples + model
        return [Room("spool", "/disk", need, self.free, "DIR", needed=self.needed)]


@frozen
class Describing(FakeTrainer):
    """A trainer whose models are made of *parts*."""

    parts: tuple[ModelPart, ...] = ()

    def describe(self, model):
        return self.parts


@frozen
class Closed(ControlSource):
    """A broker that lets nobody read."""

    error: ServiceError

    def present(self):
        raise self.error


@pytest.fixture
def broker():
    """Ten examples of two classes, in a topic of one partition."""
    broker = MemoryBroker(batch_size=3)
    broker.create("control")
    broker.produce(
        "automl", *[(bytes([i % 2]), bytes(8)) for i in range(10)], timestamp=ANNOUNCED
    )
    return broker


@pytest.fixture
def backend(tmp_path):
    return MemoryBackend(b"untrained", tmp_path)


@pytest.fixture
def look(broker, backend):
    """Return a function that looks, with other parts if need be."""

    def run(faults=(), trainer=None, reader=True, source=None, storage=None, **parts):
        trainer = trainer or FakeTrainer()
        request = {
            "stream_source": broker,
            "live_stream": broker,
            "decoder_for": Formats({"RAW": RawDecoder.from_options}),
            "split": split_records,
            "bad_records": BadRecordPolicy(),
            "count_labels": label_counts,
            **parts,
        }
        return list(
            CheckDeployment(
                faults=faults,
                model=CheckModel("here", backend, trainer, trainer if reader else None),
                messages=CheckMessages(
                    "there",
                    DeploymentId(7),
                    source or broker,
                    CheckRequest(**request),
                ),
                storage=storage or Disk(),
            ).run()
        )

    return run


def announce(broker, key=KEY, **fields):
    body = {"topic": "automl:0:0:10", "total_msg": 10, **fields}
    broker.produce("control", (key, control_message(**body)), timestamp=ANNOUNCED)


def of(subject, findings):
    """Return what was found about *subject*, which is one finding."""
    (finding,) = [each for each in findings if each.subject == subject]
    return finding


def verdicts(findings):
    return {finding.subject: finding.verdict for finding in findings}


class TestAllWell:
    def test_every_step(self, look, broker):
        """Every step of the job has its finding, and nothing is wrong."""
        announce(broker, validation_rate=0.2, test_rate=0.3)
        trainer = Describing(parts=(ModelPart("HDF5", True, 99, (2,)),))

        findings = look(trainer=trainer)

        assert {
            "settings": OK,
            "back-end": OK,
            "model": OK,
            "broker": OK,
            "control topic": OK,
            "message": OK,
            "format": OK,
            "stream": OK,
            "parts": OK,
            "records": OK,
            "labels": OK,
            "examples and model": OK,
            "spool": OK,
        } == verdicts(findings)
        assert "control[0]@0: the job would take it" == of("message", findings).text
        assert "10 records in automl[0]@0..10" == of("stream", findings).text
        assert "training 5, validation 2, test 3" == of("parts", findings).text
        assert (
            "the first 10 of 10 decode: float32 (2,), label uint8 (1,)"
            == of("records", findings).text
        )
        assert "2 classes: 0 (5), 1 (5)" == of("labels", findings).text
        assert "HDF5, 99 bytes, compiled, takes (2,)" == of("model", findings).text

    def test_nothing_is_changed(self, look, broker, backend):
        """Nothing is handed in, and nothing is written."""
        announce(broker)

        look()

        assert ([], []) == (backend.deliveries, backend.progress)
        (whole,) = broker.resolve([RequestedRange("automl", 0, 0, None)])
        assert 10 == len(whole)
        assert 1 == len(list(broker.present()))


class TestSettings:
    def test_faults(self, look):
        """Each fault is a finding of its own."""
        faults = [SettingsInvalid("BATCH is missing"), SettingsInvalid("CASE: 9")]

        findings = look(faults)

        assert [
            (FAULT, "BATCH is missing", SettingsInvalid),
            (FAULT, "CASE: 9", SettingsInvalid),
        ] == [(f.verdict, f.text, f.error) for f in findings if f.subject == "settings"]
        assert OK == of("broker", findings).verdict

    def test_what_depends_on_them(self):
        """What cannot be done without them is named."""
        faults = [SettingsInvalid("all of them")]

        findings = list(CheckDeployment(faults, None, None, None).run())

        assert {
            "settings": FAULT,
            "back-end": NOT_CHECKED,
            "model": NOT_CHECKED,
            "broker": NOT_CHECKED,
            "control topic": NOT_CHECKED,
            "message": NOT_CHECKED,
            "room": NOT_CHECKED,
        } == verdicts(findings)


class TestModel:
    def test_back_end_away(self, look, backend):
        backend.available = False

        findings = look()

        assert (FAULT, Unavailable) == fate("back-end", findings)
        assert NOT_CHECKED == of("model", findings).verdict

    def test_no_model(self, look, backend):
        backend.model = None

        findings = look()

        assert (FAULT, ModelInvalid) == fate("back-end", findings)

    def test_unusable_model(self, look, backend):
        backend.model = b""

        findings = look()

        assert OK == of("back-end", findings).verdict
        assert (FAULT, ModelInvalid) == fate("model", findings)

    def test_chain(self, look, broker):
        """Every sub-model has a finding; the first one takes the examples."""
        parts = (ModelPart("HDF5", False, 9, (2,)), ModelPart("HDF5", False, 9, (3,)))
        announce(broker)

        findings = look(trainer=Describing(parts=parts))

        assert "not compiled" in of("sub-model 1", findings).text
        assert "takes (3,)" in of("sub-model 2", findings).text
        assert OK == of("examples and model", findings).verdict

    def test_no_reader(self, look, broker):
        """An engine that tells nothing of models says whether it takes them."""
        announce(broker)

        findings = look(reader=False)

        assert OK == of("model", findings).verdict
        assert NOT_CHECKED == of("examples and model", findings).verdict


def fate(subject, findings):
    finding = of(subject, findings)
    assert finding.fix
    return finding.verdict, finding.error


class TestBroker:
    @pytest.mark.parametrize("error", [Unavailable, DeploymentInvalid])
    def test_closed(self, look, error):
        findings = look(source=Closed(error("no way in")))

        assert (FAULT, error) == fate("broker", findings)
        for subject in ("control topic", "stream", "records", "labels", "spool"):
            assert NOT_CHECKED == of(subject, findings).verdict

    def test_no_control_topic(self, look, broker):
        broker.delete("control")

        findings = look()

        assert (FAULT, Unavailable) == fate("control topic", findings)
        assert NOT_CHECKED == of("message", findings).verdict
        assert NOT_CHECKED == of("stream", findings).verdict


class TestMessages:
    def test_none(self, look, broker):
        """Others' messages are counted, those of nobody too; ours may yet come."""
        announce(broker, key=b"\x37")
        announce(broker, key=b"\x37")
        announce(broker, key=None)

        findings = look()

        assert WARNING == of("message", findings).verdict
        assert (
            "messages for deployment 7: 0; for others (55, nobody): 3"
            == of("control topic", findings).text
        )
        assert NOT_CHECKED == of("records", findings).verdict

    def test_skipped_before(self, look, broker):
        """Messages that would be skipped are named with the reason, copies once."""
        broker.produce("control", (KEY, b"no JSON"))
        announce(broker, input_format="XML")
        announce(broker, input_format="XML")
        announce(broker)
        announce(broker, description="another one")

        findings = look()

        first, second, taken = [f for f in findings if f.subject == "message"]
        assert WARNING == first.verdict
        assert first.text.startswith("control[0]@0: the job would skip it: content: ")
        assert (
            "control[0]@1 (and copies of it: 1): the job would skip it: format: "
            in second.text
        )
        assert "'XML' is not served" in second.text
        assert "control[0]@3 (and copies of it: 1): the job would take it" == taken.text
        assert OK == taken.verdict
        assert not [f for f in findings if f.verdict is FAULT]

    def test_all_skipped(self, look, broker):
        """If no message is left, the last one's faults are told in full."""
        announce(broker, input_format="XML")
        announce(broker, topic="nowhere:0:0:4")

        findings = look()

        before, last = [f for f in findings if f.subject == "message"]
        assert (WARNING, FAULT) == (before.verdict, last.verdict)
        assert Unavailable is last.error
        assert (FAULT, StreamUnreadable) == fate("stream", findings)
        assert NOT_CHECKED == of("records", findings).verdict
        assert NOT_CHECKED == of("parts", findings).verdict

    def test_behind_the_taken_one(self, look, broker):
        announce(broker)
        announce(broker, topic="automl:0:0:5", total_msg=5)

        text = of("message", look()).text

        assert text.endswith("would take it, and none of the others behind it: 1")

    def test_too_many(self, look, broker):
        """Not every one of many is looked into."""
        for number in range(20):
            announce(broker, input_format=f"XML{number}")

        findings = look()

        last = [f for f in findings if f.subject == "message"][-1]
        assert NOT_CHECKED == last.verdict
        assert "not looked into: 10 more" in last.text
        assert MalformedRequest is of("format", findings).error


class TestStream:
    def test_lost_offsets(self, look, broker):
        announce(broker)
        broker.delete_records("automl", 3)

        findings = look()

        assert (FAULT, StreamUnreadable) == fate("stream", findings)
        assert "starts at 3" in of("stream", findings).text

    def test_other_count(self, look, broker):
        """A message that announces another number is no obstacle."""
        announce(broker, total_msg=12)

        finding = of("stream", look())

        assert WARNING == finding.verdict
        assert "10 records in automl[0]@0..10" in finding.text
        assert "announces 12" in finding.text

    def test_empty(self, look, broker):
        """There is nothing to train on."""
        announce(broker, topic="automl:0:5:5", total_msg=0)

        findings = look()

        assert (FAULT, MalformedRequest) == fate("parts", findings)
        assert NOT_CHECKED == of("records", findings).verdict

    def test_empty_parts(self, look, broker):
        announce(broker, validation_rate=0.01, test_rate=0.05)

        parts = [f for f in look() if f.subject == "parts"]

        assert [WARNING, WARNING] == [f.verdict for f in parts]
        assert "no example is left for validation" in parts[0].text
        assert "no example is left for the test" in parts[1].text

    def test_first_records_only(self, look, broker):
        """Of a long stream only the beginning is read."""
        broker.produce("long", *[(b"\0", bytes(8))] * 1500)
        broker.batch_size = 64
        announce(broker, topic="long:0:0:1500", total_msg=1500)

        findings = look(storage=Disk(free=10**6))

        assert "the first 1,000 of 1,500 decode" in of("records", findings).text
        assert "14.66 KiB needed" in of("spool", findings).text


class TestRecords:
    @pytest.fixture(autouse=True)
    def bad(self, broker):
        """Two records of twelve are too short."""
        broker.produce("automl", (b"\1", b"x"), (b"\1", b"y"))
        announce(broker, topic="automl:0:0:12", total_msg=12)

    def test_bad(self, look):
        """Place and reason are told."""
        finding = of("records", look())

        assert (FAULT, StreamUnreadable) == (finding.verdict, finding.error)
        assert "2 of the first 12 of 12 are bad: automl[0]@10: " in finding.text
        assert "automl[0]@11: " in finding.text
        assert "float32 (2,)" in finding.text

    def test_borne(self, look):
        """Those that the settings bear are no obstacle."""
        finding = of("records", look(bad_records=BadRecordPolicy(limit=2)))

        assert WARNING == finding.verdict
        assert "2 of the first 12" in finding.text

    def test_one_too_many(self, look):
        finding = of("records", look(bad_records=BadRecordPolicy(limit=1)))

        assert FAULT == finding.verdict

    def test_wrong_shape(self, look):
        """Examples that the model cannot take are told before Keras says so."""
        trainer = Describing(parts=(ModelPart("HDF5", True, 9, (3, None)),))

        findings = look(trainer=trainer, bad_records=BadRecordPolicy(limit=2))

        assert (FAULT, TrainingFailed) == fate("examples and model", findings)
        text = of("examples and model", findings).text
        assert "an example is (2,), the model takes (3, any)" == text

    def test_one_class(self, look, broker):
        broker.produce("sorted", *[(b"\5", bytes(8))] * 4)
        broker.delete_records("control", 1)
        announce(broker, topic="sorted:0:0:4", total_msg=4)

        finding = of("labels", look())

        assert WARNING == finding.verdict
        assert "one class alone: 5" in finding.text

    def test_no_classes(self, look, broker):
        broker.produce("real", *[(b"\x00\x00\x20\x41\x00\x00\x20\x3f", bytes(8))] * 2)
        broker.delete_records("control", 1)
        config = {**RAW_CONFIG, "label_type": "float32", "label_reshape": "2"}
        announce(broker, topic="real:0:0:2", total_msg=2, input_config=config)

        finding = of("labels", look())

        assert (OK, "float32 (2,): they are no classes") == (
            finding.verdict,
            finding.text,
        )


class TestLive:
    PACE = Pace(10, 1.0, 5.0)

    def test_followed(self, look, broker):
        """It is told where the job would begin, and what is there."""
        broker.produce(
            "automl", (b"\1", bytes(8)), timestamp=ANNOUNCED - 1, partition=1
        )
        announce(broker, topic="automl", total_msg=None, validation_rate=0.2)

        findings = look(pace=self.PACE)

        text = of("stream", findings).text
        assert "begin at automl[0]@0, automl[1]@1; 10 records since then" in text
        assert (
            "of a full mini-batch training 8, validation 2, test 0"
            == of("parts", findings).text
        )
        assert "the first 10 of 10 decode" in of("records", findings).text
        assert "about 109 B needed" in of("spool", findings).text

    def test_nothing_there(self, look, broker):
        """A topic without records is no fault: they are to come."""
        broker.create("live")
        announce(broker, topic="live", total_msg=None)

        findings = look(pace=self.PACE)

        assert OK == of("stream", findings).verdict
        assert NOT_CHECKED == of("records", findings).verdict
        assert not [f for f in findings if f.verdict is FAULT]

    def test_no_topic(self, look, broker):
        announce(broker, topic="nowhere", total_msg=None)

        finding = of("stream", look(pace=self.PACE))

        assert WARNING == finding.verdict
        assert "nowhere: no such topic yet" in finding.text

    def test_nothing_to_train_on(self, look, broker):
        announce(broker, topic="automl", total_msg=None, validation_rate=1)

        findings = look(pace=self.PACE)

        assert (FAULT, MalformedRequest) == fate("parts", findings)


class TestUnlabelled:
    def test_ranges(self, look, broker):
        """They are looked up and decoded like the labelled ones, whatever the keys."""
        broker.produce("others", *[(None, bytes(8))] * 4, (None, b"x"))
        announce(broker, unsupervised_topic="others:0:0:5")

        findings = look(unsupervised=True)

        assert "5 records in others[0]@0..5" == of("unlabelled stream", findings).text
        assert (FAULT, StreamUnreadable) == fate("unlabelled records", findings)
        assert "others[0]@4" in of("unlabelled records", findings).text
        assert "labels" in verdicts(findings)

    def test_lost(self, look, broker):
        announce(broker, unsupervised_topic="others:0:0:5")

        findings = look(unsupervised=True)

        assert (FAULT, StreamUnreadable) == fate("unlabelled stream", findings)
        assert NOT_CHECKED == of("unlabelled records", findings).verdict

    def test_none(self, look, broker):
        """A message without any is trained on, but supervised."""
        announce(broker)

        finding = of("unlabelled stream", look(unsupervised=True))

        assert WARNING == finding.verdict

    def test_not_wanted(self, look, broker):
        """Without UNSUPERVISED nobody looks at them."""
        announce(broker, unsupervised_topic="others:0:0:5")

        assert "unlabelled stream" not in verdicts(look())

    def test_followed(self, look, broker):
        broker.produce("others", *[(None, bytes(8))] * 4, timestamp=ANNOUNCED)
        announce(broker, unsupervised_topic="others")

        findings = look(unsupervised=True, pace=TestLive.PACE)

        assert "4 records since then" in of("unlabelled stream", findings).text
        assert "10 records in automl" in of("stream", findings).text
        assert "the first 4 of 4 decode" in of("unlabelled records", findings).text


class TestRoom:
    def test_full(self, look, broker):
        announce(broker)

        findings = look(storage=Disk(free=50))

        assert (FAULT, SpoolFull) == fate("spool", findings)
        assert "DIR" in of("spool", findings).fix

    def test_not_needed(self, look, broker):
        """What the job can do without is no obstacle."""
        announce(broker)

        findings = look(storage=Disk(free=50, needed=False))

        assert WARNING == of("spool", findings).verdict

    def test_not_known(self, look):
        assert NOT_CHECKED == of("spool", look()).verdict


ENDLESS = Pace(10, 1.0, None)
MODES = {
    "classic": (TrainDeployment, {}),
    "live": (TrainIncrementally, {"pace": TestLive.PACE}),
    "endless": (TrainIncrementally, {"pace": ENDLESS}),
    "labelling": (
        TrainSemiSupervisedLive,
        {"pace": TestLive.PACE, "unsupervised": True},
    ),
    "labelling, endless": (
        TrainSemiSupervisedLive,
        {"pace": ENDLESS, "unsupervised": True},
    ),
}


@pytest.mark.parametrize(
    ("mode", "fields"),
    [
        ("classic", {"input_format": "XML"}),
        ("classic", {"topic": "nowhere:0:0:4"}),
        ("classic", {"topic": "automl:0:5:12"}),
        ("classic", {"topic": "automl:0:0:5,automl:0:4:10"}),
        ("classic", {"validation_rate": 0.99}),
        ("live", {"topic": "automl:0:0:10"}),
        ("endless", {"topic": "automl"}),
        ("labelling", {"unsupervised_topic": "automl:0:0:10"}),
        ("labelling, endless", {"unsupervised_topic": "automl"}),
    ],
)
def test_same_reason(look, broker, backend, tmp_path, mode, fields):
    """What is said of a message is what the job says when it skips it."""
    announce(broker, **fields)
    job, parts = MODES[mode]
    events = []
    optional = {
        "stream_source": broker,
        "live_stream": broker,
        "split": split_records,
        "labeller": None,
        "supervised": None,
        "pace": parts.get("pace"),
    }
    taken = {part.name for part in attrs.fields(job)}

    with pytest.raises(Unavailable, match="the control topic ended"):
        job(
            deployment_id=DeploymentId(7),
            control_source=broker,
            decoder_for=Formats({"RAW": RawDecoder.from_options}),
            spool_for=SpoolFor(SpoolSettings()),
            model_repository=backend,
            trainer=FakeTrainer(workdir=tmp_path),
            result_sink=backend,
            journal=MemoryJournal(tmp_path, lasting=False),
            on_event=events.append,
            **{name: part for name, part in optional.items() if name in taken},
        ).run()

    (skipped,) = [event for event in events if isinstance(event, RequestSkipped)]
    findings = look(**parts)
    (fault,) = [f for f in findings if f.verdict is FAULT and f.subject != "message"]
    assert skipped.reason == fault.text
    assert of("message", findings).text.startswith(skipped.position)
