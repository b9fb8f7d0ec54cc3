"""What waits to be sent to MLflow, and what becomes of it if it waits too long."""

from __future__ import annotations

import threading

import pytest

from adapters.tracking.items import Begin, End, Model, Point, Points, Report
from adapters.tracking.mailbox import MOST, MOST_POINTS, PACE, Mailbox

BEGIN = Begin("0123", "7-0123", {}, {}, 0)
END = End("FINISHED", {}, 0)
REPORT = Report(dict)


def moment(step, count=1):
    return Points(tuple(Point("loss", 0.5, step, 0) for _ in range(count)))


def steps(item):
    return [point.step for point in item.points]


def everything(mailbox):
    mailbox.close()
    return list(iter(mailbox.take, None))


@pytest.fixture
def model(tmp_path):
    """Makes folders with a model."""

    def made(name):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "trained_model.h5").touch()
        return Model(folder)

    return made


def test_order():
    """Nothing overtakes anything, and metrics that follow each other are one."""
    mailbox = Mailbox()

    for item in (BEGIN, moment(1), moment(2), REPORT, moment(3), END):
        mailbox.put(item)

    first, second, *rest = everything(mailbox)
    assert BEGIN is first
    assert [1, 2] == steps(second)
    assert [REPORT, moment(3), END] == rest


def test_as_many_as_one_request_takes():
    """However many values there are, no request has more than MLflow takes."""
    mailbox = Mailbox()

    for step in range(5):
        mailbox.put(moment(step, MOST_POINTS // 2))

    assert [MOST_POINTS, MOST_POINTS, MOST_POINTS // 2] == [
        len(item.points) for item in everything(mailbox)
    ]


def test_oldest_metrics_are_dropped():
    """Of too many the oldest go, and are counted; nothing else does."""
    mailbox = Mailbox()
    mailbox.put(BEGIN)

    for step in range(MOST + 3):
        mailbox.put(moment(step))
    mailbox.put(END)

    begin, *batches, end = everything(mailbox)
    assert (BEGIN, END) == (begin, end)
    assert list(range(3, MOST + 3)) == [
        step for each in batches for step in steps(each)
    ]
    assert 3 == mailbox.dropped


def test_room_again():
    """What was taken makes room for as much."""
    mailbox = Mailbox()

    for _ in range(3):
        for step in range(MOST):
            mailbox.put(moment(step))
        for _ in range(MOST // MOST_POINTS):
            assert MOST_POINTS == len(mailbox.take().points)
            mailbox._due = 0

    assert 0 == mailbox.dropped


def test_latest_model(model):
    """A better model replaces one that still waits, with its files."""
    mailbox = Mailbox()
    old, new = model("old"), model("new")

    mailbox.put(old)
    mailbox.put(moment(1))
    mailbox.put(new)

    assert [moment(1), new] == everything(mailbox)
    assert not old.folder.exists()
    assert new.folder.exists()


def test_model_lets_the_end_go_ahead(model):
    """How it ended is known even if there is no time for the model."""
    mailbox = Mailbox()
    waiting = model("model")

    mailbox.put(waiting)
    mailbox.put(END)
    mailbox.put(REPORT)

    assert [END, waiting, REPORT] == everything(mailbox)


def test_pace():
    """A second lies between two batches of metrics, unless the job has ended."""
    now = 100.0
    mailbox = Mailbox(lambda: now)
    mailbox.put(moment(1))
    assert [1] == steps(mailbox.take())
    mailbox.put(moment(2))

    assert PACE == mailbox._early()
    now += 0.75
    assert 0.25 == mailbox._early()
    mailbox.put(moment(3))
    now += 0.25

    assert [2, 3] == steps(mailbox.take())
    mailbox.put(moment(4))
    assert [moment(4)] == everything(mailbox)


def test_run_that_never_began(model):
    """What belongs to it is dropped, up to the next run."""
    mailbox = Mailbox()
    mailbox.put(moment(1))
    waiting = model("model")
    mailbox.put(waiting)

    mailbox.skip_run()
    mailbox.put(moment(2))
    mailbox.put(END)
    mailbox.put(BEGIN)
    mailbox.put(moment(3))

    assert [BEGIN, moment(3)] == everything(mailbox)
    assert not waiting.folder.exists()
    assert 2 == mailbox.dropped


def test_nobody_sends_any_more(model):
    """Nothing is kept, neither what is there nor what comes."""
    mailbox = Mailbox()
    before, after = model("before"), model("after")
    mailbox.put(BEGIN)
    mailbox.put(before)

    mailbox.shut()
    mailbox.put(BEGIN)
    mailbox.put(moment(1))
    mailbox.put(after)

    assert [] == everything(mailbox)
    assert not before.folder.exists()
    assert not after.folder.exists()


def test_taker_waits():
    """Who has nothing to send waits for it."""
    mailbox = Mailbox()
    taken = []
    taker = threading.Thread(target=lambda: taken.append(mailbox.take()))
    taker.start()

    mailbox.put(END)
    taker.join(30)

    assert [END] == taken
