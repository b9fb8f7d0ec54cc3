"""What every decoder does."""

from __future__ import annotations

import numpy as np

from domain.batches import Decoded
from ports import Decoder
from tests.builders import records

Pair = tuple[bytes | None, bytes | None]

FAULTS = {"size", "truncated", "trailing", "value", "schema"}


def numbers(decoded: Decoded) -> tuple[list[object], list[object]]:
    """Return features and labels as lists."""
    examples = decoded.examples
    return np.asarray(examples.features).tolist(), np.asarray(examples.labels).tolist()


class DecoderContract:
    """
    Subclasses provide *decoder*, *good* and *bad*.

    *good* maps encoded records to what they decode to, *bad* are records that do not
    decode; both are large enough to be mixed.
    """

    def test_order(self, decoder: Decoder, good: dict[Pair, tuple[object, object]]):
        """Example *i* is record *i*, in batches of any size."""
        features, labels = map(list, zip(*good.values(), strict=True))

        for times in (1, 1, 50):
            decoded = decoder.decode(records(list(good) * times))

            assert () == decoded.rejected
            assert (features * times, labels * times) == numbers(decoded)

    def test_bad_ones_cost_themselves(
        self,
        decoder: Decoder,
        good: dict[Pair, tuple[object, object]],
        bad: list[Pair],
    ):
        """Bad records are named by index; those around them are decoded, in order."""
        batch: list[Pair] = []
        expected = []
        for round_trip in range(40):
            batch.append(bad[round_trip % len(bad)])
            expected.append(len(batch) - 1)
            batch += good
        features, labels = map(list, zip(*good.values(), strict=True))

        decoded = decoder.decode(records(batch))

        assert expected == [record.index for record in decoded.rejected]
        assert (features * 40, labels * 40) == numbers(decoded)

    def test_bad_at_the_end(
        self,
        decoder: Decoder,
        good: dict[Pair, tuple[object, object]],
        bad: list[Pair],
    ):
        """A last record that breaks off reads nothing that is not there."""
        for pair in bad:
            decoded = decoder.decode(records([*good, pair]))

            assert [len(good)] == [record.index for record in decoded.rejected]
            assert len(good) == len(decoded.examples)

    def test_reasons(self, decoder: Decoder, bad: list[Pair]):
        """A reason names the side; a fault is one word of a few, for statistics."""
        decoded = decoder.decode(records(bad))

        assert len(bad) == len(decoded.rejected)
        for record in decoded.rejected:
            assert record.fault in FAULTS
            assert record.reason.startswith(("data ", "label "))

    def test_all_bad(
        self,
        decoder: Decoder,
        good: dict[Pair, tuple[object, object]],
        bad: list[Pair],
    ):
        """A batch of bad records gives no examples, before good ones and after."""
        before = decoder.decode(records(bad * 20))
        between = decoder.decode(records(list(good)))
        after = decoder.decode(records(bad * 20))

        assert (0, 0) == (len(before.examples), len(after.examples))
        assert (0, 0) == (len(before.examples.labels), len(after.examples.labels))
        assert list(range(20 * len(bad))) == [r.index for r in after.rejected]
        assert between.examples.element_spec == after.examples.element_spec
        assert len(good) == len(between.examples)

    def test_one_type(
        self,
        decoder: Decoder,
        good: dict[Pair, tuple[object, object]],
        bad: list[Pair],
    ):
        """Shapes and dtypes are the same in every batch."""
        batches = [[pair] for pair in good] + [[*bad, *good], list(good) * 50]

        specs = {
            str(decoder.decode(records(batch)).examples.element_spec)
            for batch in batches
        }

        assert 1 == len(specs)

    def test_empty(self, decoder: Decoder, good: dict[Pair, tuple[object, object]]):
        """Nulls and empty records are bad; a batch of none is none."""
        key, value = next(iter(good))

        decoded = decoder.decode(
            records([(key, value), (key, None), (key, b""), (None, value)])
        )

        assert [1, 2, 3] == [record.index for record in decoded.rejected]
        assert 0 == len(decoder.decode(records([])).examples)

    def test_cut_short(self, decoder: Decoder, good: dict[Pair, tuple[object, object]]):
        """No beginning of a good record brings another one down."""
        first = next(iter(good))
        key, value = first
        assert key is not None
        assert value is not None
        batch: list[Pair] = [first]
        for size in range(len(value)):
            batch += [(key, value[:size]), first]

        decoded = decoder.decode(records(batch))

        assert {record.index % 2 for record in decoded.rejected} <= {1}
        assert good[first][0] == numbers(decoded)[0][-1]
