"""``streamfit check``: its options; what it does is in `bootstrap.check.running`."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLES = """
Examples:

- streamfit check
- streamfit check --timeout 60
- streamfit check --json | jq '.findings[] | select(.verdict == "fault")'
"""


def check(
    *,
    timeout: Annotated[
        float,
        typer.Option(
            help="Seconds that brokers and back-end may take at each step.", min=0.1
        ),
    ] = 10.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON instead of a table.")
    ] = False,
) -> int:
    """
    Look at everything that the job needs, and train nothing.

    It reads the variables that the job reads: settings, broker, control topic, message,
    streams, the first records, model, back-end, room on disks. Each finding is a line
    of one table, with a fix. Nothing is written to a topic, committed or posted. But
    the model is fetched, and the platform takes that for the job's own start: it shows
    the result as deployed.

    Exit codes: 0 no faults, though perhaps warnings; else what the job would end with:
    65 the model, 75 something is away or missing by now, 78 the settings.
    """
    from bootstrap.check import running

    return running.run(timeout, as_json=json)
