"""The tables of the contract, section 7."""

from __future__ import annotations

import pytest

from domain.errors import MalformedRequest
from domain.request import DecoderSpec, TrainingRequest
from domain.split import Split, split_batches, split_mini_batch, split_records


def request(v: float, t: float, total: int | None) -> TrainingRequest:
    return TrainingRequest((), DecoderSpec("RAW", {}), v, t, total)


class TestRecords:
    """The current dialect."""

    @pytest.mark.parametrize(
        ("v", "t", "n", "train", "test", "validation"),
        [
            (0.1, 0.1, 70000, 56000, 7000, 7000),
            (0.1, 0.1, 11, 8, 1, 2),
            (0.2, 0, 7, 5, 0, 2),
            (0, 0.3, 120, 84, 36, 0),
            (0, 0, 5, 5, 0, 0),
        ],
    )
    def test_contract(self, v, t, n, train, test, validation):
        """Parts lie in the order training, test, validation."""
        split = split_records(request(v, t, n), n)

        ends = [train, train + test, train + test + validation]
        assert range(train) == split.training
        assert (range(train, ends[1]) if test else None) == split.test
        assert (range(ends[1], ends[2]) if validation else None) == split.validation

    def test_rates_too_small_for_a_part(self):
        """The worked message: of 4 records 2 train, and 0.4 and 0.8 make no part."""
        assert Split(range(2), None, None) == split_records(request(0.1, 0.2, 4), 4)

    def test_nothing_to_train_on(self):
        """Validation rate 0.9 of 10 records leaves int(0.1 * 10) = 0: refused."""
        with pytest.raises(MalformedRequest, match="0 records to train on: 10 read"):
            split_records(request(0.9, 0, 10), 10)

    def test_empty_stream(self):
        """A stream of no records at all is refused."""
        with pytest.raises(MalformedRequest, match="0 records to train on"):
            split_records(request(0.1, 0.1, None), 0)

    def test_total_unknown(self):
        """Without total_msg the records that were read are counted."""
        assert split_records(request(0.2, 0, 7), 7) == split_records(
            request(0.2, 0, None), 7
        )

    def test_missing_records_shorten_the_last_part(self):
        """Of 100 announced records 95 came: training and test stay as they were."""
        split = split_records(request(0.1, 0.2, 100), 95)

        assert Split(range(70), range(90, 95), range(70, 90)) == split

    def test_all_of_the_last_part_missing(self):
        """A part that has no record is no part."""
        split = split_records(request(0.1, 0.2, 100), 85)

        assert Split(range(70), None, range(70, 85)) == split

    def test_more_records_than_announced(self):
        """What is too much lands in the last part."""
        assert range(90, 103) == split_records(request(0.1, 0, 100), 103).validation

    def test_more_records_than_announced_without_parts(self):
        """With both rates 0 what is too much is not used."""
        assert Split(range(100), None, None) == split_records(request(0, 0, 100), 103)


class TestBatches:
    """The dialect of 2020; what it calls validation is evaluated after training."""

    @pytest.mark.parametrize(
        ("v", "n", "batch", "train", "held_out"),
        [
            (0.1, 60000, 32, 53984, 6016),
            (0.2, 100, 32, 64, 36),
            (0.1, 1000, 100, 900, 100),
            (0, 100, 32, 96, 4),
        ],
    )
    def test_contract(self, v, n, batch, train, held_out):
        """Whole batches train, everything after them is held out."""
        split = split_batches(batch)(request(v, 0, n), n)

        assert Split(range(train), None, range(train, train + held_out)) == split

    def test_no_remainder(self):
        """Rate 0 and whole batches: nothing is held out."""
        assert Split(range(96), None, None) == split_batches(32)(request(0, 0, 96), 96)

    def test_less_than_a_batch(self):
        """A stream shorter than one batch leaves nothing to train on."""
        with pytest.raises(MalformedRequest, match="in batches of 32"):
            split_batches(32)(request(0, 0, 31), 31)


@pytest.mark.parametrize(
    ("v", "rows", "train", "validation"),
    [
        (0.1, 10000, 9000, 1000),
        (0.1, 15, 13, 2),
        (0.1, 9, 8, 0),
        (0.3, 10, 7, 3),
        (0, 7, 7, 0),
        (0.1, 1, None, None),
        (1, 10, None, None),
        (0, 0, None, None),
    ],
)
def test_mini_batch(v, rows, train, validation):
    """There is no test part, whatever the rate; a rest too small is dropped."""
    split = split_mini_batch(request(v, 0.5, None), rows)

    if train is None:
        assert split is None
    else:
        held_out = range(train, train + validation) if validation else None
        assert Split(range(train), held_out, None) == split
