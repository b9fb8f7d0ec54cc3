"""Findings for people and for programs, and what they come to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from attrs import evolve
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters.report.masking import hidden, secrets
from bootstrap.main import EXIT_CODES
from domain.checking.findings import Finding, Verdict
from domain.errors import RequestRejected, ServiceError

_LASTING = (os.EX_CONFIG, os.EX_DATAERR, os.EX_TEMPFAIL)
"""The codes of faults, those first that mend themselves last."""

_STYLES = {
    Verdict.OK: "green",
    Verdict.WARNING: "yellow",
    Verdict.FAULT: "bold red",
    Verdict.NOT_CHECKED: "dim",
}


def masked(finding: Finding, environ: Mapping[str, str]) -> Finding:
    """Return *finding* without secrets, whatever wrote its text."""
    return evolve(finding, text=hidden(finding.text, secrets(environ)))


def exit_code(findings: Sequence[Finding]) -> int:
    """Return what the job would end with, by the fault that lasts longest."""
    codes = {_code(finding.error) for finding in findings if finding.error is not None}
    return next((code for code in _LASTING if code in codes), os.EX_OK)


def write_json(findings: Sequence[Finding], code: int, file: TextIO) -> None:
    """Write *findings* as one JSON object."""
    told = {
        "exit_code": code,
        "findings": [
            {
                "subject": finding.subject,
                "verdict": finding.verdict.value,
                "finding": finding.text,
                "fix": finding.fix,
            }
            for finding in findings
        ],
    }
    json.dump(told, file, indent=2, ensure_ascii=False)
    file.write("\n")


def write_plain(findings: Sequence[Finding], code: int, file: TextIO) -> None:
    """Write *findings* in columns; a fix is the line behind."""
    subjects = max(len(finding.subject) for finding in findings)
    verdicts = max(map(len, Verdict))
    for finding in findings:
        start = f"{finding.subject:<{subjects}}  {finding.verdict.value:<{verdicts}}"
        for line in _lines(finding.text):
            file.write(f"{start}  {line}\n")
            start = " " * len(start)
        if finding.fix:
            file.write(f"{' ' * len(start)}  fix: {finding.fix}\n")
    file.write(f"{_sum(findings, code)}\n")


def draw(findings: Sequence[Finding], code: int) -> None:
    """Draw *findings* as a table on the terminal."""
    table = Table("looked at", "", "found", "fix")
    for finding in findings:
        style = _STYLES[finding.verdict]
        table.add_row(
            Text(finding.subject),  # a text is no markup: brackets are partitions
            Text(finding.verdict.value, style),
            Text("\n".join(_lines(finding.text))),
            Text(finding.fix),
        )
    console = Console()
    console.print(table)
    console.print(Text(_sum(findings, code)))


def _code(error: type[ServiceError]) -> int:
    if issubclass(error, RequestRejected):
        return os.EX_TEMPFAIL  # another message may come
    return next(code for kind, code in EXIT_CODES.items() if issubclass(error, kind))


def _lines(text: str) -> Iterator[str]:
    """Break *text* where it has lines, and keep what else could move a cursor out."""
    for line in text.splitlines() or [""]:
        yield "".join(
            c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line
        )


def _sum(findings: Sequence[Finding], code: int) -> str:
    verdicts = [finding.verdict for finding in findings]
    counts = f"{verdicts.count(Verdict.FAULT)} faults, "
    counts += f"{verdicts.count(Verdict.WARNING)} warnings"
    return f"{counts}: exit code {code}"
