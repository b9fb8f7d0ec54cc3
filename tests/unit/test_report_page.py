"""The page of a report, as text; as browsers see it is in tests/browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from attrs import evolve

from adapters.report import charts, wording
from adapters.report.facts import facts_of
from adapters.report.making import document
from adapters.report.page import html
from adapters.report.training import Epoch, Training
from domain.events import Layer
from domain.report import ConfusionMatrix
from tests import stories

FACTS = facts_of({"DEPLOYMENT_ID": "7"})
HOSTILE = "</style><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*7}}"


class Elements(HTMLParser):
    """Every element of a page, and whether they are closed in order."""

    VOID = ("meta", "link")

    def __init__(self):
        super().__init__()
        self.elements, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert tag == self.open.pop()


def elements(text):
    parser = Elements()
    parser.feed(text)
    parser.close()
    assert [] == parser.open
    return parser.elements


@pytest.mark.parametrize(
    "story", [stories.delivered, stories.failed, stories.running, stories.waiting]
)
def test_self_contained(story):
    """Elements are closed; nothing is a script, and nothing comes from elsewhere."""
    found = elements(html(document(story(), FACTS)))

    assert not {"script", "img", "iframe", "a", "form"} & {tag for tag, _ in found}
    assert {"data:,"} == {
        value
        for _, attributes in found
        for name, value in attributes.items()
        if name in {"href", "src", "action", "srcset"}
    }
    assert not [name for _, told in found for name in told if name.startswith("on")]


def test_hostile_names():
    """Names from the network are text, whatever they look like."""
    reason = f"{HOSTILE}: not there"
    story = stories.failed(reason, topic=HOSTILE)
    story = evolve(story, model=(Layer(HOSTILE, HOSTILE, (1,), 1, HOSTILE),))
    options = {"label_scheme": HOSTILE, HOSTILE: HOSTILE}
    story = evolve(story, request=stories.request(HOSTILE, **options))
    facts = facts_of({"DEPLOYMENT_ID": HOSTILE, "KWARGS_FIT": HOSTILE})

    page = html(document(story, facts))

    found = elements(page)
    assert not {"script", "img"} & {tag for tag, _ in found}
    assert "&lt;script&gt;alert(1)" in page
    assert "49" not in page.partition("<main>")[2].partition("Versions")[0]


def test_hostile_metrics():
    """Names of metrics, too, in drawings as well."""
    story = stories.delivered()
    report = evolve(story.report, test={HOSTILE: 1.0}, history=stories.history(20))
    epoch = evolve(report.history[0], training={HOSTILE: 1.0, "loss": 2.0})
    report = evolve(report, history=(epoch,) * 20)

    page = html(document(evolve(story, report=report), FACTS))

    assert not {"script", "img"} & {tag for tag, _ in elements(page)}
    assert "&lt;script&gt;" in page


def test_live():
    """A live page comes again by itself, a report does not."""
    report = document(stories.running(), FACTS)

    assert '<meta http-equiv="refresh" content="5">' in html(report, 5)
    assert "refresh" not in html(report)


@pytest.mark.parametrize("classes", [1, 2, 24, 25, 100, 301])
def test_matrices(classes):
    """A few classes are a table, many are squares, too many are not drawn."""
    tags = [
        tag
        for tag, told in elements(
            html(document(stories.delivered(classes=classes), FACTS))
        )
        if tag == "rect" or ("style" in told and "--share" in told["style"])
    ]

    drawn = {"td": classes**2} if classes <= 24 else {}
    assert drawn.get("td", 0) == tags.count("td")
    assert (classes >= 25 and classes <= 300) == ("rect" in tags)


def test_confused():
    """What is most often mistaken is said by shares of the true class."""
    found = charts.matrix(ConfusionMatrix((3, 5), ((8, 2), (1, 1))))

    assert (9, 12) == (found.right, found.total)
    assert ((5, 3, 1, 0.5), (3, 5, 2, 0.2)) == found.confused


def test_no_examples_of_a_class():
    """A class that never occurs has shares of nothing."""
    found = charts.matrix(ConfusionMatrix((3, 5), ((0, 0), (1, 1))))

    assert ((0, 0.0), (0, 0.0)) == found.rows[0]


SERIES = {
    "one": [0.5],
    "same": [0.5, 0.5, 0.5],
    "nothing": [0.0, 0.0],
    "gaps": [None, 1.0, None, 2.0, 3.0, None],
    "long": [1 / (n + 1) for n in range(5000)],
    "large": [1e300, -1e300],
    "larger": [1.7e308, -1.7e308, 1.0],
    "small": [1e-12, 3e-12],
    "negative": [-3.0, -1.0],
}


@pytest.mark.parametrize("name", SERIES)
def test_curves(name):
    """Whatever the values are, they are drawn within the picture, between its ticks."""
    epochs = tuple(Epoch({"loss": value}) for value in SERIES[name])

    (chart,) = charts.charts(Training(epochs=epochs))

    points = [point for line in chart.lines for run in line.runs for point in run]
    assert 1 <= len(points) <= 402
    assert all(0 <= x <= charts.WIDTH and 0 <= y <= charts.HEIGHT for x, y in points)
    heights = [y for y, _ in chart.up]
    assert sorted(heights, reverse=True) == heights
    assert min(heights) <= min(y for _, y in points)
    assert max(heights) >= max(y for _, y in points)
    assert 2 <= len(heights) <= 8
    assert len({text for _, text in chart.up}) == len(heights)
    assert 1 <= len(chart.across) <= 11
    assert all(one < other for (one, _), (other, _) in pairwise(chart.across))


def test_gaps():
    """Between two values there is a line only if they follow each other."""
    epochs = tuple(Epoch({"loss": value}) for value in SERIES["gaps"])

    (chart,) = charts.charts(Training(epochs=epochs))

    assert [1, 2] == [len(run) for run in chart.lines[0].runs]
    assert chart.lines[0].last is None


def test_no_values():
    """A metric that never was a number has no picture."""
    assert [] == list(charts.charts(Training(epochs=(Epoch({"loss": None}),))))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (wording.count(1234567), "1,234,567"),
        (wording.count(None), "–"),
        (wording.size(0), "0 B"),
        (wording.size(999), "999 B"),
        (wording.size(1_230_000), "1.2 MB"),
        (wording.size(5e15), "5000.0 TB"),
        (wording.duration(0.123), "0.12 s"),
        (wording.duration(59.94), "59.9 s"),
        (wording.duration(312), "5 min 12 s"),
        (wording.duration(11_050), "3 h 04 min"),
        (wording.duration(400_000), "4 d 15 h"),
        (wording.metric(0.0), "0.0000"),
        (wording.metric(1.5e-7), "1.500e-07"),
        (wording.metric(12_345.678), "12,345.7"),
        (wording.rate(12_345.6, "records"), "12,346 records/s"),
        (wording.rate(0.5, "records"), "0.5 records/s"),
        (wording.share(1, 3), "33.3 %"),
        (wording.share(0, 0), "0 %"),
    ],
)
def test_wording(said, wanted):
    """Numbers are as short as they may be."""
    assert wanted == said


def test_size():
    """A report of 100 classes and thousands of epochs stays small."""
    story = stories.delivered(classes=100)
    report = evolve(story.report, history=stories.history(5000))

    page = html(document(evolve(story, report=report), FACTS))

    assert len(page) < 1_000_000
    assert not re.search(r"\bnan\b", page)
