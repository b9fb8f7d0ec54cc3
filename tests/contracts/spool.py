"""What every spool does."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest

from domain.batches import ExampleBatch
from domain.offsets import OffsetRange
from domain.progress import StreamProgress
from domain.report import StreamCounts


def examples(start: int, stop: int) -> ExampleBatch:
    """Return examples whose content is their position."""
    rows = np.arange(start, stop)
    return ExampleBatch(
        np.stack([rows, rows], axis=1).astype(np.uint16), rows.astype(np.uint8)
    )


def assert_examples(start: int, stop: int, batch: ExampleBatch) -> None:
    """Assert that *batch* is what `examples` returned."""
    expected = examples(start, stop)
    np.testing.assert_array_equal(expected.features, batch.features)
    np.testing.assert_array_equal(expected.labels, batch.labels)


def progress(read: int, end: int, first_rejected: str = "") -> StreamProgress:
    """Return the progress of a stream of *end* offsets of which some were read."""
    rest = (OffsetRange("automl", 0, read, end, "id"),) if read < end else ()
    opening = OffsetRange("automl", 0, 0, 1, "id") if read else None
    return StreamProgress(rest, StreamCounts(end, read, 0), first_rejected, opening)


ANY_ARRAY = pytest.mark.parametrize(
    "features",
    [
        np.arange(24, dtype=">f8").reshape(4, 3, 2),
        np.arange(24, dtype=np.float16).reshape(4, 6)[:, ::2],
        np.arange(24, dtype=np.int64).reshape(6, 4).T,
        np.array([True, False, True, True]),
        np.empty((4, 0), np.float32),
    ],
    ids=["big endian", "strided", "transposed", "scalar", "empty"],
)


class SpoolContract:
    """Subclasses provide *spool_for*, the factory; what it makes is closed for them."""

    def test_keeps_order(self, spool_for):
        """Batches of any size lie end to end."""
        spool = spool_for(100_000)

        for start, stop in [(0, 1), (1, 300), (300, 50_000), (50_000, 100_000)]:
            spool.append(examples(start, stop))

        assert 100_000 == len(spool)
        assert_examples(0, 100_000, spool.read(0, 100_000))

    def test_reads_by_position(self, spool_for):
        """A read across two batches is one array."""
        spool = spool_for(20)
        spool.append(examples(0, 10))
        spool.append(examples(10, 20))

        batch = spool.read(8, 12)

        assert [[8, 8], [9, 9], [10, 10], [11, 11]] == np.asarray(
            batch.features
        ).tolist()
        assert [8, 9, 10, 11] == np.asarray(batch.labels).tolist()

    @pytest.mark.parametrize("start", [0, 1, 1023, 1024, 1025, 4095, 4096, 4097, 9998])
    def test_reads_anywhere(self, spool_for, start):
        """No position is special, least of all those around a memory page's end."""
        spool = spool_for(10_000)
        spool.append(examples(0, 10_000))

        assert_examples(start, start + 2, spool.read(start, start + 2))

    def test_reads_nothing(self, spool_for):
        """A range without examples is an empty batch of the right type."""
        spool = spool_for(10)
        spool.append(examples(0, 10))

        for batch in (spool.read(3, 3), spool.read(10, 20), spool.read(5, 2)):
            assert 0 == len(batch)
            assert examples(0, 1).element_spec == batch.element_spec

    def test_keeps_dtype(self, spool_for):
        """Examples stay in the type that they came in."""
        spool = spool_for(10)
        spool.append(examples(0, 10))

        assert examples(0, 1).element_spec == spool.element_spec

    @ANY_ARRAY
    def test_keeps_any_array(self, spool_for, features):
        """Shape, byte order and layout in memory of what comes do not matter."""
        spool = spool_for(8)

        for _ in range(2):
            spool.append(ExampleBatch(features, np.arange(4)))

        batch = spool.read(2, 6)
        np.testing.assert_array_equal(np.roll(features, -2, 0), batch.features)
        assert [2, 3, 0, 1] == np.asarray(batch.labels).tolist()
        assert features.dtype == batch.features.dtype

    def test_shorter_than_expected(self, spool_for):
        """A compacted range holds fewer records than offsets."""
        spool = spool_for(1_000)
        spool.append(examples(0, 10))

        assert 10 == len(spool)
        assert_examples(0, 10, spool.read(0, 1_000))

    @pytest.mark.parametrize("expected", [0, 1, 999])
    def test_longer_than_expected(self, spool_for, expected):
        """More examples than expected are kept as well."""
        spool = spool_for(expected)

        for start, stop in pairwise(range(0, 10_001, 100)):
            spool.append(examples(start, stop))

        assert_examples(0, 10_000, spool.read(0, 10_000))

    def test_no_examples(self, spool_for):
        """A batch in which every record was bad adds nothing, whatever its shape."""
        spool = spool_for(10)
        nothing = ExampleBatch(np.empty((0,)), np.empty((0,)))

        spool.append(nothing)
        assert 0 == len(spool)
        spool.append(examples(0, 10))
        spool.append(nothing)

        assert_examples(0, 10, spool.read(0, 10))

    def test_nothing_yet(self, spool_for):
        """What examples look like is unknown before the first ones."""
        with pytest.raises(LookupError):
            _ = spool_for(10).element_spec

    def test_one_type_only(self, spool_for):
        """Examples of another type are refused, not cast or broadcast in silence."""
        spool = spool_for(10)
        spool.append(examples(0, 2))
        features = np.zeros((2, 1), np.uint16)

        with pytest.raises(ValueError, match="in a spool of"):
            spool.append(ExampleBatch(features, np.zeros(2, np.uint8)))

        assert_examples(0, 2, spool.read(0, 10))

    def test_what_was_read_stays(self, spool_for):
        """Later examples never change a batch that was handed out, nor does closing."""
        spool = spool_for(10)
        spool.append(examples(0, 10))
        batch = spool.read(0, 10)

        spool.append(examples(10, 100_000))
        assert_examples(0, 10, batch)
        spool.close()

        assert_examples(0, 10, batch)

    def test_copies(self, spool_for):
        """The source may use its buffer again."""
        source = np.zeros((1, 2), np.uint16)
        spool = spool_for(10)
        spool.append(ExampleBatch(source, source[:, 0]))

        source[:] = 7

        assert [[0, 0]] == np.asarray(spool.read(0, 1).features).tolist()

    @pytest.mark.parametrize("stop", [0, 10])
    def test_views_are_read_only(self, spool_for, stop):
        """A reader cannot spoil the examples for the next epoch."""
        spool = spool_for(10)
        spool.append(examples(0, 10))

        batch = spool.read(0, stop)

        for array in (batch.features, batch.labels):
            with pytest.raises(ValueError, match="read-only"):
                np.asarray(array)[:] = 0

    @pytest.mark.parametrize(
        "positions", [[0], [9_999], [5, 3, 3, 9_998, 0], [], list(range(9_999, -1, -7))]
    )
    def test_takes_in_any_order(self, spool_for, positions):
        """Examples are gathered one by one, in the order that is asked for."""
        spool = spool_for(10_000)
        spool.append(examples(0, 4_000))
        spool.append(examples(4_000, 10_000))

        batch = spool.take(np.array(positions, np.int64))

        everything = examples(0, 10_000)
        np.testing.assert_array_equal(everything.features[positions], batch.features)
        np.testing.assert_array_equal(everything.labels[positions], batch.labels)
        assert examples(0, 1).element_spec == batch.element_spec

    @pytest.mark.parametrize("position", [-1, 10])
    def test_takes_no_other(self, spool_for, position):
        """What is not there is not made up, though there may be room for it."""
        spool = spool_for(1_000)
        spool.append(examples(0, 10))

        with pytest.raises(IndexError):
            spool.take(np.array([3, position]))

    def test_takes_copies(self, spool_for):
        """Who changes what was taken changes no example."""
        spool = spool_for(10)
        spool.append(examples(0, 10))

        np.asarray(spool.take(np.array([3])).features)[:] = 99

        assert_examples(0, 10, spool.read(0, 10))

    def test_takes_nothing_when_closed(self, spool_for):
        """A closed spool gives nothing."""
        spool = spool_for(10)
        spool.append(examples(0, 10))
        spool.close()

        with pytest.raises(ValueError, match="the spool is closed"):
            spool.take(np.array([0]))

    def test_closed(self, spool_for):
        """A closed spool takes and gives nothing; it may be closed again."""
        spool = spool_for(10)
        spool.append(examples(0, 10))

        spool.close()
        spool.close()

        with pytest.raises(ValueError, match="the spool is closed"):
            spool.append(examples(10, 20))
        with pytest.raises(ValueError, match="the spool is closed"):
            spool.read(0, 10)

    def test_closed_before_use(self, spool_for):
        """So does one that was never used."""
        spool = spool_for(10)

        spool.close()

        with pytest.raises(ValueError, match="the spool is closed"):
            spool.append(examples(0, 10))

    def test_read_while_filled(self, spool_for):
        """Readers on other threads see a prefix, of whole examples, that only grows."""
        rows, step = 60_000, 97
        spool = spool_for(1_000)

        def fill() -> None:
            for start in range(0, rows, step):
                spool.append(examples(start, min(start + step, rows)))

        def read(seed: int) -> int:
            random, found = np.random.default_rng(seed), 0
            while found < rows:
                before, found = found, len(spool)
                assert before <= found
                if found:
                    start = int(random.integers(found))
                    assert_examples(start, found, spool.read(start, found))
                    assert examples(0, 1).element_spec == spool.element_spec
            return found

        with ThreadPoolExecutor(4) as threads:
            readers = [threads.submit(read, seed) for seed in range(3)]
            threads.submit(fill).result()
            assert [rows] * 3 == [reader.result() for reader in readers]


class LastingSpoolContract:
    """
    What spools do that are kept in a folder.

    Subclasses provide *factory*, a SpoolFactory, and *folder*, where nothing is yet.
    """

    def test_found_again(self, factory, folder):
        """What was noted last is there, with its progress, to the last field."""
        spool = factory(1_000, folder)
        spool.append(examples(0, 400))
        spool.note(progress(400, 1_000, "automl[0]@7: size"))
        spool.close()

        again, found = factory.reopen(folder)

        with closing(again):
            assert progress(400, 1_000, "automl[0]@7: size") == found
            assert ("id", "id") == (found.rest[0].log, found.opening.log)
            assert 400 == len(again)
            assert examples(0, 1).element_spec == again.element_spec
            assert_examples(0, 400, again.read(0, 1_000))
            assert_examples(7, 9, again.take(np.array([7, 8])))

    def test_goes_on(self, factory, folder):
        """A spool is filled by one process after the other."""
        factory(10_000, folder).close()
        spool = factory(10_000, folder)
        for start, stop in pairwise([0, 1, 4_096, 5_000, 10_000]):
            spool.append(examples(start, stop))
            spool.note(progress(stop, 10_000))
            spool.close()

            spool, found = factory.reopen(folder)

            assert progress(stop, 10_000) == found
            assert_examples(0, stop, spool.read(0, 10_000))
        spool.close()

    def test_behind_the_note(self, factory, folder):
        """Examples that were not noted are forgotten, and replaced by others."""
        spool = factory(10, folder)
        spool.append(examples(0, 4))
        spool.note(progress(4, 10))
        spool.append(examples(100, 130))
        spool.close()

        for _ in range(2):
            spool, found = factory.reopen(folder)
            assert (4, progress(4, 10)) == (len(spool), found)
            spool.append(examples(4, 7))
            assert_examples(0, 7, spool.read(0, 10))
            spool.close()

    def test_complete(self, factory, folder):
        """The end of a stream is taken note of, however soon it comes."""
        spool = factory(10, folder)
        spool.append(examples(0, 4))
        spool.note(progress(4, 10))
        spool.append(examples(4, 10))
        spool.note(progress(10, 10))  # and it is never closed

        again, found = factory.reopen(folder)

        with closing(again):
            assert progress(10, 10) == found
            assert_examples(0, 10, again.read(0, 10))
        spool.close()

    def test_nothing_noted(self, factory, folder, caplog):
        """What was never noted is nobody's, and nothing to wonder at."""
        assert factory.reopen(folder) is None
        spool = factory(10, folder)
        assert factory.reopen(folder) is None
        spool.append(examples(0, 4))
        spool.close()

        assert factory.reopen(folder) is None
        assert not caplog.records

    def test_anew(self, factory, folder):
        """A new spool begins with nothing, whatever was in its folder."""
        spool = factory(10, folder)
        spool.append(examples(0, 4))
        spool.note(progress(4, 10))
        spool.close()

        factory(10, folder).close()

        assert factory.reopen(folder) is None

    def test_bad_records_only(self, factory, folder):
        """A stream may be read a long way, or to its end, without an example."""
        bad = StreamProgress((), StreamCounts(10, 0, 10), "automl[0]@0: size")
        spool = factory(10, folder)
        spool.note(bad)
        spool.close()

        again, found = factory.reopen(folder)

        assert (0, bad) == (len(again), found)
        with pytest.raises(LookupError):
            _ = again.element_spec
        again.append(examples(0, 4))
        again.note(progress(4, 4))
        again.close()
        again, found = factory.reopen(folder)
        with closing(again):
            assert_examples(0, 4, again.read(0, 4))

    @ANY_ARRAY
    def test_finds_any_array(self, factory, folder, features):
        """Shape and type are those that were kept."""
        spool = factory(8, folder)
        spool.append(ExampleBatch(features, np.arange(4)))
        spool.note(progress(4, 8))
        spool.close()

        again, _ = factory.reopen(folder)

        with closing(again):
            again.append(ExampleBatch(features, np.arange(4)))
            batch = again.read(2, 6)
        np.testing.assert_array_equal(np.roll(features, -2, 0), batch.features)
        assert [2, 3, 0, 1] == np.asarray(batch.labels).tolist()
        assert features.dtype == batch.features.dtype

    def test_one_type_only_afterwards(self, factory, folder):
        """Another process cannot add examples of another type either."""
        spool = factory(10, folder)
        spool.append(examples(0, 2))
        spool.note(progress(2, 10))
        spool.close()

        again, _ = factory.reopen(folder)

        with closing(again), pytest.raises(ValueError, match="in a spool of"):
            again.append(ExampleBatch(np.zeros((2, 1)), np.zeros(2)))

    def test_views_stay(self, factory, folder):
        """Views outlive the spool, the one after it, and the folder."""
        spool = factory(10_000, folder)
        spool.append(examples(0, 6_000))
        spool.note(progress(6_000, 10_000))
        before = spool.read(0, 6_000)
        spool.close()

        again, _ = factory.reopen(folder)
        again.append(examples(6_000, 10_000))
        after = again.read(5_000, 10_000)
        again.close()
        factory(10, folder).close()

        assert_examples(0, 6_000, before)
        assert_examples(5_000, 10_000, after)
