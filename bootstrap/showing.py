"""``streamfit show``: the report of a run that has ended, in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from adapters.report.document import Document

EXAMPLES = """
Examples:

- streamfit show reports/20261123T191007756Z-0f3a.json
- streamfit show reports
- streamfit show 0f3a --folder reports
"""


def show(
    run: Annotated[
        str,
        typer.Argument(
            help="A report's JSON file; a folder, for the latest report in it; or the "
            "beginning of a run's identity.",
            metavar="RUN",
        ),
    ],
    *,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where to look for an identity.",
            envvar="STREAMFIT_REPORT_DIR",
            file_okay=False,
        ),
    ] = None,
) -> int:
    """Show the report of a run that has ended."""
    from adapters.report.summary import lines

    for line in lines(_document(_found(run, folder))):
        typer.echo(line)
    return 0


def _found(run: str, folder: Path | None) -> Path:
    """Return the file that *run* means."""
    path = Path(run)
    if path.is_file():
        return path.with_suffix(".json") if path.suffix == ".html" else path
    if path.is_dir():
        return _latest(path.glob("*.json"), f"{run}: no report in this folder")
    if folder is None:
        raise typer.BadParameter(
            f"{run!r} is no file and no folder; for an identity, --folder or "
            "STREAMFIT_REPORT_DIR must name the folder to look in"
        )
    known = (one for one in folder.glob("*.json") if _identity(one).startswith(run))
    return _latest(known, f"{run!r} is no file, no folder and no run in {folder}")


def _latest(paths: Iterable[Path], otherwise: str) -> Path:
    """Return the last of *paths*: names begin with the time."""
    if found := sorted(paths):
        return found[-1]
    raise typer.BadParameter(otherwise)


def _identity(path: Path) -> str:
    return path.stem.partition("-")[2]


def _document(path: Path) -> Document:
    from adapters.report.document import Document

    try:
        return Document.from_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as reason:
        raise typer.BadParameter(f"{path}: {reason}") from reason
