"""How far the job is, live in the last lines of a terminal."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TextIO

from attrs import define, field
from rich.console import Console, ConsoleDimensions, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from adapters.progress.rates import Extent, Pace, fit, reading
from domain.events import Event, JobEnded, StepsDone
from domain.phases import Phase
from domain.report import EpochMetrics
from domain.story import Story

_PER_SECOND = 4
"""Times that it is drawn."""

_QUIET = {Phase.READING, Phase.TRAINING}
"""Phases that have a bar, or are about to."""


class _Terminal(Console):
    """A terminal that keeps its cursor: a job that is killed cannot bring it back."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002
        """Leave the cursor alone."""
        return False

    def look(self) -> None:
        """Take the terminal's size: standard input may be none, and tell another."""
        columns, lines = os.get_terminal_size(self.file.fileno())
        self.size = ConsoleDimensions(columns or 80, lines or 25)


@define(eq=False)
class TerminalProgress:
    """
    A listener that draws how far the job is until it has ended.

    It takes its lines with it then: the log above tells it all.

    Attributes:
        story: Tells what has happened.

        stream: The terminal.

        drawn: Is told how many lines it holds, before it draws them.

        clock: Seconds from any fixed point.
    """

    story: Callable[[], Story]
    stream: TextIO
    drawn: Callable[[int], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    _records: Pace = field(factory=lambda: Pace(10), init=False)
    _steps: Pace = field(factory=lambda: Pace(10), init=False)
    _step: StepsDone | None = field(default=None, init=False)
    _console: _Terminal = field(init=False)
    _live: Live = field(init=False)
    _spinner: Spinner = field(factory=lambda: Spinner("dots"), init=False)

    def __attrs_post_init__(self) -> None:
        self._console = _Terminal(file=self.stream, highlight=False)
        self._live = Live(
            console=self._console,
            get_renderable=self.picture,
            refresh_per_second=_PER_SECOND,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __call__(self, event: Event) -> None:
        """Begin with the first event, and end with the last one."""
        if isinstance(event, JobEnded):
            self._live.stop()
            self.drawn(0)
        elif isinstance(event, Phase):
            self._live.start()  # which does nothing where it has begun

    def above(self, text: str) -> None:
        """Print *text*, colours and all, above what is drawn."""
        self._console.print(Text.from_ansi(text), soft_wrap=True)

    def picture(self) -> RenderableType:
        """Return what is to be drawn now."""
        self._console.look()
        story, now = self.story(), self.clock()
        lines: list[RenderableType] = []
        if extent := reading(story):
            self._records.note(now, extent.done)
            lines.append(self._stream(story, extent))
        # Between two epochs there is no step: the bar stays as it is.
        trains = story.phase is Phase.TRAINING
        self._step = story.step or (self._step if trains else None)
        if self._step and trains:
            extent = fit(self._step)
            self._steps.note(now, extent.done)
            lines.append(self._epoch(self._step, extent))
        if story.stages and (not lines or story.phase not in _QUIET):
            lines.append(self._phase(story))
        if story.epochs and trains:
            lines.append(_metrics(story.epochs[-1].metrics))
        self.drawn(len(lines))
        return Group(*lines)

    def _stream(self, story: Story, extent: Extent) -> Table:
        count = story.counts.examples + story.counts.rejected
        rate = self._records.per_second
        pace = "" if rate is None else f"{rate:,.0f} records/s"
        if extent.rest is None:
            return _row("following", None, f"{count:,} records", pace)
        left = _left(self._records, extent.rest)
        return _row("reading", extent, f"{extent.percent} %", pace, left)

    def _epoch(self, step: StepsDone, extent: Extent) -> Table:
        rate = self._steps.per_second
        pace = ""
        if rate:
            pace = f"{rate:,.0f} steps/s" if rate >= 100 else f"{rate:.3g} steps/s"
        done = f"{step.step:,}/{step.steps:,}"
        return _row(
            f"epoch {step.epoch}/{step.epochs}",
            Extent(step.step, step.steps),
            done,
            pace,
            _left(self._steps, extent.rest or 0),
        )

    def _phase(self, story: Story) -> Table:
        stage = story.stages[-1]
        line = Table.grid(padding=(0, 1, 0, 0))
        elapsed = Text(_duration(stage.seconds), style="dim")
        line.add_row(self._spinner, Text(str(stage.phase)), elapsed)
        return line


def _row(label: str, extent: Extent | None, *told: str) -> Table:
    """Return a label, a bar and some figures, on one line of the whole width."""
    row = Table.grid(padding=(0, 1, 0, 0), expand=True)
    row.add_column(no_wrap=True, min_width=9)
    row.add_column(ratio=1)
    row.add_column(no_wrap=True, overflow="ellipsis")
    bar = ProgressBar(
        total=extent.total if extent else None,
        completed=extent.done if extent else 0,
        pulse=extent is None,
    )
    figures = Text("  ".join(figure for figure in told if figure))
    row.add_row(Text(label, style="bold"), bar, figures)
    return row


def _metrics(metrics: EpochMetrics) -> Text:
    """Return the latest metrics, on one line."""
    named = {
        **metrics.training,
        **{f"val_{name}": value for name, value in metrics.validation.items()},
    }
    text = "  ".join(f"{_harmless(name)} {value:.4g}" for name, value in named.items())
    return Text(f"          {text}", style="dim", no_wrap=True, overflow="ellipsis")


def _harmless(name: str) -> str:
    """Return a *name* that a model brings, without what moves the cursor."""
    return "".join(c if c.isprintable() else "?" for c in name)


def _left(pace: Pace, rest: int) -> str:
    seconds = pace.seconds_for(rest)
    return "" if seconds is None else f"{_duration(seconds)} left"


def _duration(seconds: float) -> str:
    """Return hours, minutes and seconds."""
    minutes, seconds = divmod(max(int(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
