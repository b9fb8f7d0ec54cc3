"""The table that people read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from benchmarks.claims import Claim, Measured, Round, rate
from benchmarks.works import Work

BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"


def table(
    measured: Sequence[tuple[Work, Sequence[Round]]], where: Mapping[str, object]
) -> str:
    """Return the verdicts, and the medians that they rest on, as Markdown."""
    return "\n\n".join(
        [
            ", ".join(f"{name} {value}" for name, value in where.items()),
            _verdicts(measured),
            _medians(measured),
        ]
    )


def put_into_page(page: Path, text: str) -> None:
    """Replace what is between the marks in *page*."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _verdicts(measured: Sequence[tuple[Work, Sequence[Round]]]) -> str:
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


def _medians(measured: Sequence[tuple[Work, Sequence[Round]]]) -> str:
    rows = []
    for work, rounds in measured:
        for contender in work.contenders if rounds else ():
            runs = [found[contender.label] for found in rounds]
            rows.append(
                (
                    work.title,
                    contender.label,
                    f"{median(map(rate, runs)):,.0f}",
                    f"{median(_cpu(run) for run in runs):.2f}",
                    f"{median(float(run['startup_seconds']) for run in runs):.1f}",
                    f"{median(float(run['max_rss']) for run in runs) / 1e6:.0f}",
                    _stages(runs),
                )
            )
    return _markdown(
        (
            "work",
            "contender",
            "records/s",
            "CPU µs/record",
            "start-up s",
            "memory MB",
            "µs/record by stage",
        ),
        rows,
    )


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


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
