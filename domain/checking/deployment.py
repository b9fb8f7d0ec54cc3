"""
A look at everything that a job needs, before there is a job: nothing is changed.

It goes the job's way up to the training, with the job's own eyes, and does not stop at
the first fault: what does not depend on it is looked at all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from domain.batches import ElementSpec
from domain.checking.findings import Finding, fault, not_checked, ok, warning
from domain.checking.messages import CheckMessages
from domain.checking.model import CheckModel
from domain.errors import ServiceError, SpoolFull
from ports import Room, Storage

_WRONG = "the settings are wrong"


@frozen
class CheckDeployment:
    """
    Look at one deployment.

    Attributes:
        faults: Of the settings.

        model: Looks for the model; None if the settings do not say where.

        messages: Looks for data; likewise.

        storage: Knows the places of a job; likewise.
    """

    faults: Sequence[ServiceError]
    model: CheckModel | None
    messages: CheckMessages | None
    storage: Storage | None

    def run(self) -> Iterator[Finding]:
        """Yield what is found, in the order in which a job would meet it."""
        yield from self._settings()
        size, takes = 0, None
        if self.model is None:
            yield from (not_checked(s, _WRONG) for s in ("back-end", "model"))
        else:
            model = self.model.run()
            size, takes = model.size, model.takes
            yield from model.findings
        spec: ElementSpec | None = None
        examples = 0
        if self.messages is None:
            for subject in ("broker", "control topic", "message"):
                yield not_checked(subject, _WRONG)
        else:
            messages = self.messages.run(takes)
            spec, examples = messages.spec, messages.examples
            yield from messages.findings
        if self.storage is None:
            yield not_checked("room", _WRONG)
        else:
            yield from map(_room, self.storage.rooms(spec, examples, size))

    def _settings(self) -> Iterator[Finding]:
        if not self.faults:
            yield ok("settings", "all variables that the job reads are well-formed")
        for error in self.faults:
            fix = "set the variable as docs/variables.md says"
            yield fault("settings", error, fix)


def _room(room: Room) -> Finding:
    subject, there = room.subject, f"{room.place}: {_size(room.free)} free"
    if room.need is None:
        return not_checked(subject, f"{there}, what is needed is not known")
    text = f"{there}, about {_size(room.need)} needed"
    if room.need <= room.free:
        return ok(subject, text)
    fix = f"name a larger place in {room.variable}"
    if room.needed:
        return fault(subject, SpoolFull(text), fix)
    return warning(subject, f"{text}: the job would do without", fix)


def _size(size: int) -> str:
    """Return *size*, in bytes, for people."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.4g} {unit}"
        amount /= 1024
    return f"{amount:,.4g} TiB"
