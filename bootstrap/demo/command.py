"""``streamfit demo``: its options; what it does is in `bootstrap.demo.running`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bootstrap.demo.choices import Format, Mode

EXAMPLES = """
Examples:

- streamfit demo
- streamfit demo --mode incremental
- streamfit demo --format avro --folder /tmp/result
"""


def demo(
    *,
    mode: Annotated[
        Mode,
        typer.Option(
            metavar="MODE",
            help="classic: a stream that is complete; incremental: one that is still "
            "being written; distributed: a chain of sub-models; "
            "distributed-incremental: both; semi-supervised: most records come "
            "without labels; semi-supervised-incremental: they come while the job "
            "runs.",
        ),
    ] = Mode.CLASSIC,
    format: Annotated[  # noqa: A002  # the option's name
        Format,
        typer.Option(
            help="Record format: raw, handwritten digits; avro, breast cancer "
            "diagnoses."
        ),
    ] = Format.RAW,
    folder: Annotated[
        Path, typer.Option(help="Where the result goes.", file_okay=False)
    ] = Path("demo-result"),
) -> int:
    """
    Stream real data through the real job.

    A Kafka inside this process and a back-end on a loopback port stand in for the
    platform. The job is a process of its own, with the environment that the platform
    would give it; what it hands in is printed and kept in a folder.
    """
    from bootstrap.demo.running import run
    from bootstrap.demo.scenarios import SCENARIOS, formats

    if format not in (known := formats(mode)):
        raise typer.BadParameter(
            f"--mode {mode} is shown with --format {' or '.join(known)}"
        )
    return run(SCENARIOS[mode, format], folder)
