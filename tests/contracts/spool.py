"""What every spool does."""

from __future__ import annotations

import numpy as np
import pytest

from domain.batches import ExampleBatch


def examples(start: int, stop: int) -> ExampleBatch:
    """Return examples whose content is their position."""
    rows = np.arange(start, stop)
    return ExampleBatch(
        np.stack([rows, rows], axis=1).astype(np.uint16), rows.astype(np.uint8)
    )


class SpoolContract:
    """Subclasses provide *spool_for*, the factory."""

    def test_keeps_order(self, spool_for):
        """Batches of any size lie end to end."""
        spool = spool_for(100_000)

        for start, stop in [(0, 1), (1, 300), (300, 50_000), (50_000, 100_000)]:
            spool.append(examples(start, stop))

        expected = examples(0, 100_000)
        assert 100_000 == len(spool)
        np.testing.assert_array_equal(
            expected.features, spool.read(0, 100_000).features
        )
        np.testing.assert_array_equal(expected.labels, spool.read(0, 100_000).labels)

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

    def test_keeps_dtype(self, spool_for):
        """Examples stay in the type that they came in."""
        spool = spool_for(10)
        spool.append(examples(0, 10))

        assert examples(0, 1).element_spec == spool.element_spec

    def test_shorter_than_announced(self, spool_for):
        """A compacted range holds fewer records than offsets."""
        spool = spool_for(1_000)
        spool.append(examples(0, 10))

        assert 10 == len(spool)
        assert 10 == len(spool.read(0, 1_000))

    def test_what_was_read_stays(self, spool_for):
        """Later examples never change a batch that was handed out."""
        spool = spool_for(100_000)
        spool.append(examples(0, 10))
        batch = spool.read(0, 10)

        spool.append(examples(10, 100_000))

        np.testing.assert_array_equal(examples(0, 10).features, batch.features)

    def test_copies(self, spool_for):
        """The source may use its buffer again."""
        source = np.zeros((1, 2), np.uint16)
        spool = spool_for(10)
        spool.append(ExampleBatch(source, source[:, 0]))

        source[:] = 7

        assert [[0, 0]] == np.asarray(spool.read(0, 1).features).tolist()

    def test_views_are_read_only(self, spool_for):
        """A reader cannot spoil the examples for the next epoch."""
        spool = spool_for(10)
        spool.append(examples(0, 10))

        with pytest.raises(ValueError, match="read-only"):
            np.asarray(spool.read(0, 10).features)[:] = 0
