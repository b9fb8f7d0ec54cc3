"""Whether the benchmarks measure what they say."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.checksum import Checksum
from benchmarks.claims import (
    as_fast_as,
    at_least,
    longer_by,
    memory_at_most,
    memory_within,
)
from benchmarks.streams import STREAMS
from benchmarks.table import (
    BEGIN,
    END,
    TRAINING_BEGIN,
    TRAINING_END,
    put_into_page,
    table,
    training_table,
)
from benchmarks.training import training_works
from benchmarks.works import FEW, Contender, Work, works


def total(features, *cuts: int) -> int:
    checksum = Checksum()
    for part in np.split(features, cuts):
        checksum.add(part, part[:, 0])
    return checksum.total


def runs(**seconds: float) -> dict[str, dict[str, float]]:
    return {
        name: {
            "records": 1000,
            "seconds": duration,
            "cpu_seconds": duration,
            "startup_seconds": 0.5,
            "max_rss": 10**8 * duration,
            "waiting_rss": 10**7 * duration,
        }
        for name, duration in seconds.items()
    }


class TestChecksum:
    features = np.arange(60, dtype=np.uint8).reshape(10, 6)

    def test_batches(self):
        """It does not matter how the examples are cut into batches."""
        assert total(self.features) == total(self.features, 3, 7)

    def test_order(self):
        """Another order is another sum."""
        assert total(self.features) != total(self.features[::-1])

    def test_fewer(self):
        """So are fewer examples."""
        assert total(self.features) != total(self.features[:-1])


@pytest.mark.parametrize("name", STREAMS)
class TestStreams:
    def test_positions(self, name):
        """A record is the same in whatever chunk it is made."""
        whole, part = STREAMS[name].chunk(0, 30), STREAMS[name].chunk(10, 20)

        assert whole.keys[10:20] == part.keys
        assert whole.values[10:20] == part.values
        np.testing.assert_array_equal(whole.features[10:20], part.features)
        np.testing.assert_array_equal(whole.labels[10:20], part.labels)

    def test_distinct(self, name):
        """Records that change places are found out."""
        assert 30 == len(set(STREAMS[name].chunk(0, 30).values))


class TestClaims:
    def test_ratio(self):
        """Rates are compared, not durations."""
        claim = at_least(2, "one", "other", "twice as fast")

        assert 4 == claim.figure(runs(one=1, other=4))
        assert claim.holds(2)
        assert not claim.holds(1.9)

    def test_rate(self):
        """A rate by itself is in records per second."""
        claim = as_fast_as(500, "one")

        assert 250 == claim.figure(runs(one=4))
        assert not claim.holds(250)

    def test_memory(self):
        """Memory may shrink as much as it likes."""
        claim = memory_within(10**8, "one", "other")

        assert 2 * 10**8 == claim.figure(runs(one=3, other=1))
        assert not claim.holds(2 * 10**8)
        assert claim.holds(-(10**9))

    def test_seconds(self):
        """Of two durations the difference may be what counts."""
        claim = longer_by(1, "one", "other", "a second more")

        assert 2 == claim.figure(runs(one=3, other=1))
        assert not claim.holds(2)
        assert claim.holds(1)

    def test_memory_while_waiting(self):
        """Memory that is held while waiting is not the most that ever was."""
        claim = memory_at_most(10**7, "one", "little")

        assert 3 * 10**7 == claim.figure(runs(one=3))
        assert claim.holds(10**7)
        assert not claim.holds(10**7 + 1)


def test_claims_name_contenders():
    """Every claim is about contenders of its work."""
    for work in (*works(FEW * 2), *training_works()):
        found = runs(**{contender.label: 1 for contender in work.contenders})

        assert [claim.figure(found) for claim in work.claims]


class TestTable:
    work = Work(
        "w",
        "the work",
        "raw",
        (Contender("one", "bare"), Contender("other", "bare")),
        (at_least(2, "one", "other", "twice as fast"),),
    )

    def test_median(self):
        """The verdict is on the median of the rounds' ratios."""
        rounds = [runs(one=1, other=n) for n in (1, 3, 9)]

        text = table([(self.work, rounds)], {"date": "today"})

        assert "| the work | twice as fast | 3 x | 1 x to 9 x | yes |" in text

    def test_failed(self):
        """A contender that failed is no verdict."""
        text = table([(self.work, [])], {})

        assert "| the work | twice as fast |  |  | **failed** |" in text

    def test_steps(self):
        """Where a job's time went is told by the lines of its log."""
        rounds = [runs(one=n, other=1) for n in (1, 2, 3)]
        for number, found in enumerate(rounds):
            found["one"]["steps"] = {"engine ready": number, "epoch ended": 1}

        text = training_table([(self.work, rounds)], {})

        assert "engine ready 1.00, epoch ended 1.00" in text

    def test_pages_other_table(self, tmp_path):
        """Each table has its own place in the page."""
        page = tmp_path / "page.md"
        page.write_text(
            f"{BEGIN}\nstreams\n{END}\nbetween\n{TRAINING_BEGIN}\nold\n{TRAINING_END}\n"
        )

        put_into_page(page, "new", TRAINING_BEGIN, TRAINING_END)

        assert (
            f"{BEGIN}\nstreams\n{END}\nbetween\n"
            f"{TRAINING_BEGIN}\n\nnew\n\n{TRAINING_END}\n"
        ) == page.read_text()

    def test_page_without_marks(self, tmp_path):
        """A page that has lost its marks is left alone."""
        page = tmp_path / "page.md"
        page.write_text("the page")

        with pytest.raises(ValueError, match="no <!-- make bench: begin -->"):
            put_into_page(page, "new")

        assert "the page" == page.read_text()

    def test_page(self, tmp_path):
        """Only what is between the marks is replaced."""
        page = tmp_path / "page.md"
        page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

        put_into_page(page, "new")

        assert f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n" == page.read_text()
