from __future__ import annotations

import io
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from adapters import plots
from adapters.plots import confusion_matrix_png, learning_curves_png
from domain.report import ConfusionMatrix, EpochMetrics


def matrix(classes, diagonal=90, other=1):
    return ConfusionMatrix(
        tuple(range(classes)),
        tuple(
            tuple(diagonal if row == column else other for column in range(classes))
            for row in range(classes)
        ),
    )


def pixels(png):
    image = Image.open(io.BytesIO(png))
    assert "PNG" == image.format
    return np.asarray(image.convert("RGBA"))


def inside(png):
    """Return the pixels of the cells."""
    return pixels(png)[200:1450, 400:1600, :3]


def differs_inside(one, other):
    """Return whether two pictures differ in their cells."""
    return bool((inside(one) != inside(other)).any())


def ink(png):
    """Return the number of pixels that anything was drawn on."""
    return int((pixels(png)[..., 3] > 0).sum())


class TestConfusionMatrix:
    @pytest.mark.parametrize("classes", [1, 2, 10, 100])
    def test_size_and_ground(self, classes):
        """The picture has the platform's size and a transparent ground."""
        image = pixels(confusion_matrix_png(matrix(classes)))

        assert (1600, 2000, 4) == image.shape
        assert [0, 0, 0, 0] == [image[y, x, 3] for x in (0, -1) for y in (0, -1)]

    def test_placeholder(self):
        """None is a picture, too, of the same size, with writing on it."""
        png = confusion_matrix_png(None)

        assert (1600, 2000, 4) == pixels(png).shape
        assert 1000 < ink(png) < ink(confusion_matrix_png(matrix(2)))

    def test_shares_of_rows(self):
        """The colour is the share of the true class, however rare it is."""
        rare = ConfusionMatrix((0, 1), ((900, 100), (1, 9)))
        image = pixels(confusion_matrix_png(rare))

        assert (image[300, 300] == image[1300, 1100]).all()
        assert not (image[300, 300] == image[300, 1100]).all()

    def test_class_that_never_occurs(self):
        """A class that was only predicted has no shares, and is no error."""
        predicted = ConfusionMatrix((0, 1), ((5, 5), (0, 0)))
        image = pixels(confusion_matrix_png(predicted))

        assert (image[1300, 300] == image[1300, 1100]).all()

    @pytest.mark.parametrize(("classes", "written"), [(38, True), (39, False)])
    def test_cell_texts(self, classes, written):
        """Counts are written as long as they can be read: of 10 pixels or more."""
        few = confusion_matrix_png(matrix(classes, diagonal=8888, other=0))
        same = confusion_matrix_png(matrix(classes, diagonal=1111, other=0))

        assert written is differs_inside(few, same)

    def test_rare_errors_show(self):
        """One error in a hundred is another colour than none, to the eye as well."""
        counts = [[0] * 100 for _ in range(100)]
        for label in range(100):
            counts[label][label] = 100
        perfect = ConfusionMatrix(tuple(range(100)), tuple(map(tuple, counts)))
        counts[20][70], counts[20][20] = 1, 99
        flawed = ConfusionMatrix(tuple(range(100)), tuple(map(tuple, counts)))

        before, after = (inside(confusion_matrix_png(m)) for m in (perfect, flawed))

        assert 10 < np.abs(after.astype(int) - before.astype(int)).max(initial=0)

    def test_most_confused(self):
        """Where there is no room for counts, the worst errors are told in words."""
        shares = np.array([[90.0, 0.0, 10.0], [0.4, 99.6, 0.0], [0.0, 0.0, 100.0]])

        assert "\nmost often mistaken: 7 as 9 (10 %), 8 as 7 (0 %)" == (
            plots._most_confused((7, 8, 9), shares)
        )

    @pytest.mark.parametrize("counts", [((0, 0), (0, 0)), ((5,),)])
    def test_nothing_wrong(self, counts):
        """Without an example, or without an error, a picture comes out all the same."""
        labels = tuple(range(len(counts)))

        assert ink(confusion_matrix_png(ConfusionMatrix(labels, counts))) > 1000

    @pytest.mark.parametrize(
        ("classes", "step"),
        [(1, 1), (34, 1), (35, 2), (68, 2), (69, 5), (100, 5), (1000, 50)],
    )
    def test_ticks(self, classes, step):
        """Classes are counted in round numbers."""
        assert step == plots._step(classes)


class TestLearningCurves:
    def test_panels(self):
        """Each metric has its panel."""
        one = (EpochMetrics({"loss": 0.5}),)
        three = (EpochMetrics({"loss": 0.5, "auc": 0.5, "mse": 0.5}),)

        assert (700, 1000, 4) == pixels(learning_curves_png(one)).shape
        assert (1400, 2000, 4) == pixels(learning_curves_png(three)).shape

    def test_validation(self):
        """Validation has a curve of its own."""
        without = (EpochMetrics({"loss": 0.5}), EpochMetrics({"loss": 0.4}))
        with_it = (
            EpochMetrics({"loss": 0.5}, {"loss": 0.5}),
            EpochMetrics({"loss": 0.4}, {"loss": 0.45}),
        )

        assert learning_curves_png(without) != learning_curves_png(with_it)

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_gap(self, value):
        """What is not a number is a gap in the curve."""
        whole = tuple(EpochMetrics({"loss": loss}) for loss in (3.0, 2.0, 1.0))
        gap = (whole[0], EpochMetrics({"loss": value}), whole[2])

        assert ink(learning_curves_png(gap)) < ink(learning_curves_png(whole))

    @pytest.mark.parametrize(
        "history",
        [(), (EpochMetrics({"loss": math.nan}, {"loss": math.nan}),)],
        ids=["no epoch", "no number"],
    )
    def test_nothing_to_show(self, history):
        """A picture comes out all the same."""
        assert ink(learning_curves_png(history)) > 1000


def test_on_threads():
    """Pictures may be drawn on several threads at once, and come out the same."""
    expected = confusion_matrix_png(matrix(3))

    with ThreadPoolExecutor(3) as pool:
        drawn = list(pool.map(lambda _: confusion_matrix_png(matrix(3)), range(6)))

    assert 6 * [expected] == drawn


def test_light_start():
    """Whoever imports the module, but draws nothing, does not load matplotlib."""
    code = "import sys, adapters.plots; print('matplotlib' in sys.modules)"

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert "False\n" == ended.stdout
