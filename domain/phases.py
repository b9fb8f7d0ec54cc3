"""What a job does, one after the other."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    """
    Something that a job begins with.

    A job may be killed in any of them, and at any other moment: another process goes on
    where it was.  The tests walk over all of them.
    """

    FETCHING = "fetching the model"
    WAITING = "waiting for a control message"
    OPENING = "opening the run"
    READING = "reading the stream"
    LOADING = "loading the model"
    TRAINING = "training"
    REPORTING = "reporting an epoch"
    EVALUATING = "evaluating"
    SAVING = "saving the model"
    KEEPING = "making the result safe"
    DELIVERING = "delivering the result"
    FINISHING = "noting the delivery"
    DONE = "done"
