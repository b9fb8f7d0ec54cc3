"""What a look at a deployment finds."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeVar

from attrs import define, field, frozen

from domain.errors import ServiceError

T = TypeVar("T")


class Verdict(enum.StrEnum):
    """What a finding means to the job."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    NOT_CHECKED = "not checked"


@frozen
class Finding:
    """
    One line of the report.

    Attributes:
        subject: What was looked at.

        verdict: What that means.

        text: What was found.

        fix: What may be done about it.

        error: Of a fault, what the job would meet there.
    """

    subject: str
    verdict: Verdict
    text: str
    fix: str = ""
    error: type[ServiceError] | None = None


def ok(subject: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(subject, Verdict.OK, text)


def warning(subject: str, text: str, fix: str) -> Finding:
    """Return what the job can live with."""
    return Finding(subject, Verdict.WARNING, text, fix)


def fault(subject: str, error: ServiceError, fix: str) -> Finding:
    """Return what stops the job."""
    return Finding(subject, Verdict.FAULT, str(error), fix, type(error))


def not_checked(subject: str, why: str, fix: str = "") -> Finding:
    """Return that nobody knows."""
    return Finding(subject, Verdict.NOT_CHECKED, why, fix)


@define
class Findings:
    """
    Findings, one after the other.

    Attributes:
        found: Those so far.
    """

    found: list[Finding] = field(factory=list)

    def add(self, *findings: Finding) -> None:
        """Take more of them."""
        self.found += findings

    def ask(
        self,
        subject: str,
        question: Callable[[], T],
        fix: Callable[[ServiceError], str],
    ) -> T | None:
        """
        Return the answer to *question*; None, and a fault, if there is none.

        Args:
            subject: What it is about.

            question: Asks it.

            fix: Tells what may be done about an error.
        """
        try:
            return question()
        except ServiceError as error:
            self.add(fault(subject, error, fix(error)))
            return None
