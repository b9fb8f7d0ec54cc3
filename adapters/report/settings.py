"""Where reports go, as users say it."""

from __future__ import annotations

from pathlib import Path

from attrs import Attribute, field, frozen


def _is_folder(_: object, __: Attribute[Path | None], folder: Path | None) -> None:
    for place in (folder, *folder.parents) if folder else ():
        if place.exists():
            if not place.is_dir():
                raise ValueError(f"{str(place)!r} is no folder")
            return


@frozen
class ReportSettings:
    """
    Where reports go.

    Attributes:
        streamfit_report_dir: The folder, made if it is not there; without one, no
            report is written.
    """

    streamfit_report_dir: Path | None = field(default=None, validator=_is_folder)
