"""A stream on its way into a spool."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from attrs import define, field

from domain.bad_records import BadRecordPolicy
from domain.batches import Decoded, ExampleBatch, RecordBatch, RejectedRecord
from domain.errors import StreamUnreadable, Unavailable
from domain.intake import Intake, Part, StreamShorter
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

    def close(self):
        self.closed = True


@define
class Drawer:
    """Keeps what is diverted."""

    places: list[str] = field(factory=list)

    def divert(self, batch, rejected):
        self.places += [batch.place(bad.index) for bad in rejected]


def stream(gate: Gate, policy: BadRecordPolicy | None = None, drawer=None) -> Intake:
    return Intake(
        read=gate.read,
        offsets=sum(map(len, gate.batches)),
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
