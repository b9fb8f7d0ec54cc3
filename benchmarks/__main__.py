"""Measures, prints a table, and keeps every single run as a line of JSON."""

from __future__ import annotations

import argparse
import logging
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.circumstances import circumstances
from benchmarks.claims import Round
from benchmarks.results import Results
from benchmarks.runs import ContenderFailed, Runner
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
from benchmarks.works import FEW, Work, works
from tests.broker.apache_kafka import apache_kafka

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"

log = logging.getLogger("benchmarks")


def main() -> int:
    """Do what the command line says; 1 if a contender failed."""
    options = _options()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen = [
        work
        for work in (*works(options.growth), *training_works())
        if any(name in work.name for name in options.only or [""])
    ]
    where = circumstances()
    results = Results(options.output or HERE / "results" / f"{where['date']}.jsonl")
    rounds: dict[str, list[Round]] = {work.name: [] for work in chosen}
    with ExitStack() as stack:
        servers = ""
        if any(work.on_broker for work in chosen):
            servers = stack.enter_context(apache_kafka()).servers
        folder = Path(stack.enter_context(TemporaryDirectory()))
        runner = Runner(servers, options.records, folder)
        for work in chosen:
            log.info("%s", work.title)
            try:
                for number in range(options.rounds):
                    found = _round(work, runner)
                    rounds[work.name].append(found)
                    common = {**where, "work": work.name, "round": number}
                    for label, measured in found.items():
                        results.add({**common, "contender": label, **measured})
            except ContenderFailed as failure:
                log.error("%s", failure)
                rounds[work.name].clear()
    found = [(work, rounds[work.name]) for work in chosen]
    streams = [(work, measured) for work, measured in found if not work.training]
    training = [(work, measured) for work, measured in found if work.training]
    if streams:
        _show(table(streams, where), (BEGIN, END), page=options.page)
    if training:
        _show(
            training_table(training, where),
            (TRAINING_BEGIN, TRAINING_END),
            page=options.page,
        )
    log.info("\nsingle runs: %s", results.path)
    return 0 if all(rounds.values()) else 1


def _show(text: str, marks: tuple[str, str], *, page: bool) -> None:
    log.info("\n%s", text)
    if page:
        put_into_page(PAGE, text, *marks)


def _round(work: Work, runner: Runner) -> Round:
    found = {}
    for contender in work.contenders:
        found[contender.label] = measured = runner.run(work, contender)
        log.info(
            "  %-48s %8.2f s, %9.0f records/s, start-up %.1f s, %4.0f MB",
            contender.label,
            measured["seconds"],
            measured["records"] / measured["seconds"],
            measured["startup_seconds"],
            measured["max_rss"] / 1e6,
        )
    for name in ("loss", "steps_per_execution"):
        values = {run[name] for run in found.values() if name in run}
        if len(values) > 1:
            raise ContenderFailed(f"{work.title}: {name} differs: {values}")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="works whose name contains one of these, of "
        + ", ".join(work.name for work in (*works(FEW), *training_works())),
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often (%(default)s)")
    parser.add_argument(
        "--records",
        type=int,
        default=600_000,
        help="in most streams; slow contenders get fewer (%(default)s)",
    )
    parser.add_argument(
        "--growth",
        type=int,
        default=600_000,
        help="in the largest stream; 6000000 need 11 GB of disk (%(default)s)",
    )
    parser.add_argument("--output", type=Path, help="the file for the single runs")
    parser.add_argument(
        "--page", action="store_true", help=f"put the tables into docs/{PAGE.name}"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
