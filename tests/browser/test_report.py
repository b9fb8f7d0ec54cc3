"""The report as people see it, on a phone and on a screen, by day and by night."""

from __future__ import annotations

import re

import pytest
from attrs import evolve

from adapters.report.facts import facts_of
from adapters.report.making import document
from adapters.report.page import html
from adapters.status.settings import StatusSettings
from adapters.status.watching import serving
from domain.events import Layer
from domain.report import ConfusionMatrix
from tests import stories
from tests.browser.chromium import file_url

pytestmark = pytest.mark.browser

PHONE, SCREEN = 360, 1280
FACTS = facts_of(
    {
        "DEPLOYMENT_ID": "7",
        "RESULT_URL": "http://backend:8000/results/" + "long" * 50,
        "KWARGS_FIT": '{"epochs": 12}',
    }
)
LONG = "a-topic-with-a-name-" * 12


def long_names():
    """A job whose every name is as long as names may be."""
    story = stories.delivered(topic=LONG)
    layers = tuple(
        Layer(LONG, "Dense", (None, *range(30)), 10**12, "part") for _ in range(40)
    )
    epochs = tuple(
        evolve(epoch, training={LONG: 1e12, **epoch.training})
        for epoch in stories.history(300)
    )
    report = evolve(story.report, history=epochs)
    return evolve(story, model=layers, report=report)


def unsure():
    """A model that takes classes for each other as often as can be."""
    story = stories.delivered()
    counts = tuple((n, 20 - n, *[0] * 19) for n in range(21))
    matrix = ConfusionMatrix(tuple(range(21)), counts)
    return evolve(story, report=evolve(story.report, confusion_matrix=matrix))


STORIES = {
    "delivered": stories.delivered,
    "hundred classes": lambda: stories.delivered(classes=100),
    "running": stories.running,
    "waiting": stories.waiting,
    "failed": stories.failed,
    "long names": long_names,
    "unsure": unsure,
}

# Of every text: what it is written in, and the ground that it lies on.
CONTRASTS = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d",
    {willReadFrequently: true});
  const paint = (colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map(v => v / 255).map(
      v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || element.closest("style, .zero, details:not([open]) > :not(summary)"))
      continue;
    const style = getComputedStyle(element);
    const grounds = [];
    for (let at = element; at; at = at.parentElement)
      grounds.unshift(getComputedStyle(at).backgroundColor);
    const ground = paint(["white", ...grounds]);
    const ink = paint([`rgb(${ground})`,
      element.namespaceURI.endsWith("svg") ? style.fill : style.color]);
    const [low, high] = [light(ink), light(ground)].sort((a, b) => a - b);
    found.push([(high + 0.05) / (low + 0.05), text]);
  }
  return found;
})()
"""


@pytest.mark.parametrize("width", [PHONE, SCREEN])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", STORIES)
def test_looked_at(name, dark, width, chrome, tmp_path):
    """No complaint, no request, nothing beside the screen, and text can be read."""
    path = tmp_path / "report.html"
    path.write_text(html(document(STORIES[name](), FACTS)), encoding="utf-8")

    with chrome.page(file_url(path), width, dark=dark) as page:
        text = page.text()
        assert [] == page.errors
        assert [] == page.requests
        assert width == page.value("document.documentElement.scrollWidth")
        assert width == page.value("window.innerWidth")
        ground = page.value("getComputedStyle(document.body).backgroundColor")
        picture = page.screenshot()
        contrasts = page.value(CONTRASTS)

    assert "Deployment 7" in text
    assert not re.search(r"\b(None|nan|undefined|\{\{)\b", text)
    brightness = sum(map(int, re.findall(r"\d+", ground)[:3]))
    assert (brightness < 200) == dark
    assert b"\x89PNG" == picture[:4]
    assert len(contrasts) > 20
    assert [] == [(round(ratio, 2), said) for ratio, said in contrasts if ratio < 4.5]


def test_curves_are_drawn(chrome, tmp_path):
    """Lines have their colours, and a length."""
    path = tmp_path / "report.html"
    path.write_text(html(document(stories.delivered(), FACTS)), encoding="utf-8")

    with chrome.page(file_url(path)) as page:
        lengths = page.value(
            "[...document.querySelectorAll('polyline')].map(p => p.getTotalLength())"
        )
        colours = page.value(
            "[...document.querySelectorAll('polyline')]"
            ".map(p => getComputedStyle(p).stroke)"
        )

    assert 5 == len(lengths)  # one of the four has a gap
    assert min(lengths) > 50
    assert 2 == len(set(colours))


def test_hostile_names(chrome, tmp_path):
    """What a name brings along does not run."""
    hostile = "<script>document.title='taken'</script><img src=x onerror=alert(1)>"
    path = tmp_path / "report.html"
    story = stories.failed(f"{hostile}: away", topic=hostile)
    path.write_text(html(document(story, FACTS)), encoding="utf-8")

    with chrome.page(file_url(path)) as page:
        assert hostile in page.text()
        assert "taken" != page.value("document.title")
        assert 0 == page.value("document.images.length + document.scripts.length")
        assert [] == page.requests == page.errors


def test_live(chrome, caplog):
    """The live page asks for nothing but itself, and complains of nothing."""

    def live():
        return html(document(stories.running(), FACTS), 5)

    settings = StatusSettings(0)
    with caplog.at_level("INFO"), serving(settings, stories.running, live, {}):
        port = next(r.port for r in caplog.records if hasattr(r, "port"))
        with chrome.page(f"http://127.0.0.1:{port}/", PHONE, dark=True) as page:
            text = page.text()
            assert [] == page.errors == page.requests

    assert "Epoch 6 of 12" in text
    assert "live" in text
