"""The table that people read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.claims import Claim, Measured, Round, rate
from benchmarks.works import Work

BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
TRAINING_BEGIN = "<!-- make bench, training: begin -->"
TRAINING_END = "<!-- make bench, training: end -->"

Measurements = Sequence[tuple[Work, Sequence[Round]]]

Column = Callable[[Sequence[Measured]], str]
"""What a column shows of a contender's runs."""


def table(measured: Measurements, where: Mapping[str, object]) -> str:
    """Return the verdicts, and the medians that they rest on, as Markdown."""
    return _table(measured, where, STREAM_COLUMNS)


def training_table(measured: Measurements, where: Mapping[str, object]) -> str:
    """Return the same for works of training."""
    return _table(measured, where, TRAINING_COLUMNS)


def put_into_page(page: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """
    Replace what is between the marks in *page*.

    Raises:
        ValueError: It lacks one of them.
    """
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, ended, after = rest.partition(end)
    if not (found and ended):
        raise ValueError(f"{page}: no {begin} with {end}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")


def _table(
    measured: Measurements, where: Mapping[str, object], columns: Mapping[str, Column]
) -> str:
    return "\n\n".join(
        [
            ", ".join(f"{name} {value}" for name, value in where.items()),
            _verdicts(measured),
            _medians(measured, columns),
        ]
    )


def _verdicts(measured: Measurements) -> str:
    rows = [
        (work.title, *_verdict(claim, rounds))
        for work, rounds in measured
        for claim in work.claims
    ]
    return _markdown(("work", "must show", "median", "from ... to", "shown"), rows)


def _verdict(claim: Claim, rounds: Sequence[Round]) -> tuple[str, ...]:
    if not rounds:
        return claim.text, "", "", "**failed**"
    figures = [claim.figure(runs) for runs in rounds]
    middle = median(figures)
    return (
        claim.text,
        claim.written(middle),
        f"{claim.written(min(figures))} to {claim.written(max(figures))}",
        "yes" if claim.holds(middle) else "**no**",
    )


def _medians(measured: Measurements, columns: Mapping[str, Column]) -> str:
    rows = []
    for work, rounds in measured:
        for contender in work.contenders if rounds else ():
            runs = [found[contender.label] for found in rounds]
            shown = [column(runs) for column in columns.values()]
            rows.append((work.title, contender.label, *shown))
    return _markdown(("work", "contender", *columns), rows)


def _median_of(figure: Callable[[Measured], float], form: str) -> Column:
    return lambda runs: format(median(map(figure, runs)), form)


def _cpu(run: Measured) -> float:
    return float(run["cpu_seconds"]) / float(run["records"]) * 1e6


def _stages(runs: Sequence[Measured]) -> str:
    if "stages" not in runs[0]:
        return ""
    stages = {
        name: median(run["stages"][name] / run["records"] for run in runs) * 1e6
        for name in ("fetch", "decode", "spool")
    }
    return ", ".join(f"{name} {micros:.2f}" for name, micros in stages.items())


def _waiting(runs: Sequence[Measured]) -> str:
    if "waiting_rss" not in runs[0]:
        return ""
    return f"{median(float(run['waiting_rss']) for run in runs) / 1e6:.0f}"


def _steps(runs: Sequence[Measured]) -> str:
    steps = {
        name: median(float(run["steps"].get(name, 0)) for run in runs)
        for name in runs[0].get("steps", ())
    }
    return ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items())


STREAM_COLUMNS: Mapping[str, Column] = {
    "records/s": _median_of(rate, ",.0f"),
    "CPU µs/record": _median_of(_cpu, ".2f"),
    "start-up s": _median_of(lambda run: float(run["startup_seconds"]), ".1f"),
    "memory MB": _median_of(lambda run: float(run["max_rss"]) / 1e6, ".0f"),
    "µs/record by stage": _stages,
}
TRAINING_COLUMNS: Mapping[str, Column] = {
    "s": _median_of(lambda run: float(run["seconds"]), ".2f"),
    "CPU s": _median_of(lambda run: float(run["cpu_seconds"]), ".2f"),
    "records/s": _median_of(rate, ",.0f"),
    "memory MB": _median_of(lambda run: float(run["max_rss"]) / 1e6, ".0f"),
    "waiting MB": _waiting,
    "s up to the log's line": _steps,
}


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
