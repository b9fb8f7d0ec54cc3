"""A stream on its way into a spool."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from attrs import define, field

from domain.bad_records import BadRecordPolicy
from domain.batches import Decoded, ExampleBatch, RecordBatch, RejectedRecord
from domain.errors import StreamUnreadable, Unavailable
from domain.intake import Intake, Part, StreamShorter
from domain.offsets import OffsetRange
from domain.progress import StreamProgress
from domain.report import StreamCounts
from tests.builders import records


@define
class Gate:
    """A stream of one-byte records that comes when it is let."""

    batches: list[list[bytes]]
    gates: list[threading.Event] = field(init=False)
    closed: threading.Event = field(factory=threading.Event)

    def __attrs_post_init__(self):
        self.gates = [threading.Event() for _ in range(len(self.batches) + 1)]

    def open(self, upto: int | None = None) -> None:
        for gate in self.gates[:upto]:
            gate.set()

    def read(self) -> Iterator[RecordBatch]:
        offset = 0
        try:
            for gate, batch in zip(self.gates, self.batches, strict=False):
                while not gate.wait(0.01):
                    yield records([], offset)  # nothing comes
                yield records([(value, value) for value in batch], offset)
                offset += len(batch)
            while not self.gates[-1].wait(0.01):
                yield records([], offset)
        finally:
            self.closed.set()


class Bytes:
    """A format of one byte a record; above 200 is bad."""

    def decode(self, batch: RecordBatch) -> Decoded:
        values = np.frombuffer(batch.values.data, np.uint8)
        good = values <= 200
        return Decoded(
            ExampleBatch(values[good], values[good]),
            tuple(
                RejectedRecord(int(i), "value", "above 200")
                for i in np.flatnonzero(~good)
            ),
        )


@define
class ListSpool:
    """A spool that is a list."""

    rows: list[int] = field(factory=list)
    closed: bool = False
    notes: list[tuple[int, StreamProgress]] = field(factory=list)

    def append(self, examples):
        self.rows += np.asarray(examples.features).tolist()

    def __len__(self):
        return len(self.rows)

    @property
    def element_spec(self):
        return self.read(0, 1).element_spec

    def read(self, start, stop):
        rows = np.array(self.rows[start:stop], np.uint8)
        return ExampleBatch(rows, rows)

    def note(self, progress):
        self.notes.append((len(self.rows), progress))

    def close(self):
        self.closed = True


@define
class Drawer:
    """Keeps what is diverted."""

    places: list[str] = field(factory=list)

    def divert(self, batch, rejected):
        self.places += [batch.place(bad.index) for bad in rejected]


def automl(start: int, end: int, log: str = "first") -> OffsetRange:
    return OffsetRange("automl", 0, start, end, log)


def stream(gate: Gate, policy: BadRecordPolicy | None = None, drawer=None) -> Intake:
    return Intake(
        read=gate.read,
        progress=StreamProgress.none([automl(0, sum(map(len, gate.batches)))]),
        decoder=Bytes(),
        spool=ListSpool(),
        bad_records=policy or BadRecordPolicy(),
        rejected_records=drawer,
    )


@contextmanager
def opened(batches, policy=None, drawer=None):
    """Yield the intake of a stream that comes at once."""
    gate = Gate(batches)
    gate.open()
    with stream(gate, policy, drawer) as intake:
        yield intake


def values(part: Part, size: int) -> list[list[int]]:
    return [np.asarray(b.features).tolist() for b in part.batches(size)]


class TestReading:
    def test_while_it_comes(self):
        """Examples can be used as soon as they are there, before the stream ends."""
        gate = Gate([[b"\x01", b"\x02"], [b"\x03"]])
        with stream(gate) as intake:
            gate.open(1)
            part = Part(intake, range(2), 3)

            early = values(part, 2)
            ended = intake.ended
            gate.open()

            assert [[1, 2]] == early
            assert not ended
            assert 3 == intake.finish()

    def test_waits(self):
        """A part that is read too early waits for its examples."""
        gate = Gate([[b"\x01"], [b"\x02"], [b"\x03"]])
        with stream(gate) as intake:
            threading.Timer(0.05, gate.open).start()

            assert [[1, 2], [3]] == values(Part(intake, range(3), 3), 2)

    def test_again_and_again(self):
        """A part can be read once per epoch."""
        with opened([[b"\x01", b"\x02", b"\x03"]]) as intake:
            part = Part(intake, range(1, 3), 3)

            assert [[2, 3]] == values(part, 5)
            assert [[2], [3]] == values(part, 1)

    def test_spec(self):
        """What the examples look like is known from the first."""
        with opened([[b"\x01"]]) as intake:
            spec = Part(intake, range(1), 1).element_spec

        assert ("uint8", ()) == (spec.features.dtype, spec.features.shape)

    def test_counts(self):
        """Offsets, examples and bad records are counted."""
        with opened(
            [[b"\x01", b"\xff"], [b"\x03"]], BadRecordPolicy(limit=1)
        ) as intake:
            intake.finish()

        assert (3, 2, 1) == (
            intake.counts.offsets,
            intake.counts.examples,
            intake.counts.rejected,
        )


class TestShorter:
    def test_part_runs_out(self):
        """A part that ends early says so instead of being shorter."""
        with (
            opened([[b"\x01", b"\x02"]]) as intake,
            pytest.raises(StreamShorter),
        ):
            values(Part(intake, range(3), 3), 1)

    def test_noticed_early(self):
        """A part that is complete says so too, if a later one cannot be."""
        with opened([[b"\x01", b"\x02"]]) as intake:
            intake.finish()

            with pytest.raises(StreamShorter):
                values(Part(intake, range(1), 3), 1)

    def test_spec_of_nothing(self):
        """An empty stream has no element spec."""
        with opened([[]]) as intake, pytest.raises(StreamShorter):
            assert Part(intake, range(1), 1).element_spec


class TestErrors:
    def test_reach_the_reader(self):
        """What the source raises comes out where examples are waited for."""

        def broken():
            yield records([(b"\x01", b"\x01")])
            raise Unavailable("gone")

        intake = stream(Gate([[b"\x01", b"\x02"]]))
        intake.read = broken
        with intake, pytest.raises(Unavailable, match="gone"):
            values(Part(intake, range(2), 2), 1)

    def test_leaving_stops_the_reading(self):
        """Who leaves early does not wait for the rest; source and spool are closed."""
        gate = Gate([[b"\x01"], [b"\x02"]])
        with stream(gate) as intake:
            gate.open(1)
            intake.wait(1)

        assert gate.closed.is_set()
        assert intake.spool.closed
        assert [1] == intake.spool.rows


class TestBadRecords:
    def test_fail(self):
        """By default the first bad record ends it, named by its place."""
        with (
            opened([[b"\x01"], [b"\x02", b"\xff"]]) as intake,
            pytest.raises(StreamUnreadable, match=r"^automl\[0\]@2: above 200$"),
        ):
            intake.finish()

    def test_skip(self):
        """Within the limit they are passed over, and the order stays."""
        with opened(
            [[b"\x01", b"\xff", b"\x02"], [b"\xfe"]], BadRecordPolicy(limit=2)
        ) as intake:
            assert 2 == intake.finish()
            assert [1, 2] == intake.spool.rows

    def test_skip_too_many(self):
        """One more than the limit ends it, with number and first place."""
        with (
            opened([[b"\xff", b"\xff", b"\x02"]], BadRecordPolicy(limit=1)) as intake,
            pytest.raises(StreamUnreadable, match=r"2 bad records, 1 may .*\[0\]@0"),
        ):
            intake.finish()

    @pytest.mark.parametrize(("share", "borne"), [(0.5, True), (0.49, False)])
    def test_share(self, share, borne):
        """A share is of all records that were read."""
        policy = BadRecordPolicy(limit=None, share=share)
        with opened([[b"\x01", b"\xff"], [b"\xff", b"\x02"]], policy) as intake:
            if borne:
                assert 2 == intake.finish()
            else:
                with pytest.raises(StreamUnreadable, match="2 bad records of 4, 49"):
                    intake.finish()

    def test_divert(self):
        """Diverted records are kept with their places, however many."""
        drawer = Drawer()
        policy = BadRecordPolicy(limit=None, divert=True)
        with opened([[b"\xff", b"\x01"], [b"\xfe"]], policy, drawer) as intake:
            assert 1 == intake.finish()

        assert ["automl[0]@0", "automl[0]@2"] == drawer.places


class Broken:
    """A source that must not be asked."""

    def read(self):
        raise AssertionError("nothing was left to read")


class Slow(BadRecordPolicy):
    """A policy that takes its time."""

    def bear(self, bad, total, example):
        time.sleep(0.05)
        super().bear(bad, total, example)


class Comparing:
    """A format whose first record settles by how much others are lessened."""

    def __init__(self):
        self.first = None

    def decode(self, batch: RecordBatch) -> Decoded:
        values = np.frombuffer(batch.values.data, np.uint8)
        if self.first is None:
            self.first = values[0]
        return Decoded(ExampleBatch(values - self.first, values))


def taken_up(progress, rows, batches, **parts) -> Intake:
    """Return the intake of a stream of which *rows* were kept before."""
    return Intake(
        **{
            "read": lambda: iter(batches),
            "progress": progress,
            "decoder": Bytes(),
            "spool": ListSpool(list(rows)),
            "bad_records": BadRecordPolicy(limit=2),
            **parts,
        }
    )


def one(*values: int) -> list[tuple[bytes, bytes]]:
    return [(bytes([value]), bytes([value])) for value in values]


class TestProgress:
    def test_noted(self):
        """After every batch it is noted what remains, and in the end that it is all."""
        policy = BadRecordPolicy(limit=1)
        with opened([[b"\x01", b"\x02"], [b"\xff"], [b"\x03"]], policy) as intake:
            intake.finish()

        first, bad = automl(0, 2), "automl[0]@2: above 200"
        counts = [StreamCounts(4, 2, 0), StreamCounts(4, 2, 1), StreamCounts(4, 3, 1)]
        assert [
            (2, StreamProgress((automl(2, 4),), counts[0], "", first)),
            (2, StreamProgress((automl(3, 4),), counts[1], bad, first)),
            (3, StreamProgress((), counts[2], bad, first)),
        ] == intake.spool.notes
        assert "first" == intake.spool.notes[0][1].rest[0].log

    def test_ranges(self):
        """Gaps, empty ranges and ranges of nothing but gaps are passed over."""
        ranges = [
            OffsetRange("automl", 0, 6, 9),
            OffsetRange("automl", 0, 0, 0),
            OffsetRange("automl", 1, 0, 3),
            OffsetRange("automl", 0, 1, 4),
            OffsetRange("other", 0, 0, 5),
        ]
        batches = [
            records(one(1), 6),
            records([], 7),
            records(one(2), 2),
            records(one(3), 3),
            records(one(4), 1, topic="other"),
        ]
        with taken_up(StreamProgress.none(ranges), [], batches) as intake:
            intake.finish()

        assert [
            ((automl(7, 9), ranges[2], ranges[3], ranges[4])),
            ((automl(3, 4), ranges[4])),
            ((ranges[4],)),
            ((OffsetRange("other", 0, 2, 5),)),
            (),
        ] == [progress.rest for _, progress in intake.spool.notes]

    def test_not_asked_for(self):
        """A source that returns to what was read would have it counted twice."""
        batches = [records(one(1, 2)), records(one(2), 1)]
        with (
            taken_up(StreamProgress.none([automl(0, 3)]), [], batches) as intake,
            pytest.raises(ValueError, match=r"automl\[0\]@1: not in what remained"),
        ):
            intake.finish()

    def test_end_is_noted_when_it_is_borne(self):
        """A stream with too many bad records is not complete."""
        policy = BadRecordPolicy(limit=None, share=0.4)
        with (
            opened([[b"\x01"], [b"\xff"]], policy) as intake,
            pytest.raises(StreamUnreadable),
        ):
            intake.finish()

        assert all(progress.rest for _, progress in intake.spool.notes)

    def test_end_is_noted_when_all_came(self):
        """Nor is one that was left early, though nothing may remain."""
        gate = Gate([[b"\x01"], [b"\x02"]])
        with stream(gate) as intake:
            gate.open(2)
            intake.wait(2)

        assert [automl(1, 2)] == [p.rest[0] for _, p in intake.spool.notes]


class TestTakenUp:
    def test_in_the_middle(self):
        """Counts go on, and the first bad record is still the first one."""
        before = StreamProgress(
            (automl(3, 5),), StreamCounts(5, 2, 1), "automl[0]@1: above 200"
        )
        intake = taken_up(before, [5, 6], [records(one(7, 255), 3)])
        assert StreamCounts(5, 2, 1) == intake.counts

        with intake:
            assert 3 == intake.finish()

        assert StreamCounts(5, 3, 2) == intake.counts
        assert [5, 6, 7] == intake.spool.rows
        assert "automl[0]@1: above 200" == intake.spool.notes[-1][1].first_rejected

    def test_bad_records_of_before_count(self):
        """What may be bad is what may be bad of the whole stream."""
        before = StreamProgress((automl(3, 5),), StreamCounts(5, 1, 2), "the first")
        with (
            taken_up(before, [5], [records(one(255, 7), 3)]) as intake,
            pytest.raises(StreamUnreadable, match=r"3 bad records.*the first"),
        ):
            intake.finish()

    def test_complete(self):
        """Of a stream that is complete nothing is read; all of it is there at once."""
        complete = StreamProgress((), StreamCounts(5, 3, 2), "the first")
        parts = {"read": Broken().read, "bad_records": Slow(limit=2)}
        with taken_up(complete, [5, 6, 7], [], **parts) as intake:
            assert intake.ended
            assert 3 == intake.finish()
            assert [[5, 6], [7]] == values(Part(intake, range(3), 3), 2)

        assert StreamCounts(5, 3, 2) == intake.counts
        assert [] == intake.spool.notes

    def test_complete_under_another_policy(self):
        """It is borne by the policy of now."""
        complete = StreamProgress((), StreamCounts(5, 2, 3), "the first")
        with (
            taken_up(complete, [5, 6], [], read=Broken().read) as intake,
            pytest.raises(StreamUnreadable, match=r"3 bad records.*the first"),
        ):
            intake.finish()

    def test_opening(self):
        """What the first records settled holds; they are no examples once more."""
        opening = automl(0, 2)
        before = StreamProgress(
            (opening, automl(3, 5)), StreamCounts(5, 3, 0), "", opening
        )
        batches = [records(one(9), 0), records(one(10), 1), records(one(12, 11), 3)]
        with taken_up(before, [0, 1, 2], batches, decoder=Comparing()) as intake:
            assert 5 == intake.finish()

        assert [0, 1, 2, 3, 2] == intake.spool.rows
        assert StreamCounts(5, 5, 0) == intake.counts
        assert [StreamProgress((), StreamCounts(5, 5, 0), "", opening)] == [
            progress for _, progress in intake.spool.notes
        ]

    def test_opening_follows_bad_records(self):
        """The opening is the first batch that held an example."""
        batches = [[b"\xff"], [b"\xfe", b"\x01"], [b"\x02"]]
        with opened(batches, BadRecordPolicy(limit=2)) as intake:
            intake.finish()

        openings = [progress.opening for _, progress in intake.spool.notes]
        assert [None, automl(1, 3), automl(1, 3)] == openings

    def test_other_spool(self):
        """A spool of other examples is not taken for that of the stream."""
        before = StreamProgress((automl(3, 5),), StreamCounts(5, 3, 0))

        with pytest.raises(ValueError, match="2 examples in a spool of 3"):
            taken_up(before, [5, 6], [])
