"""What the first records of a stream say of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from domain.bad_records import BadRecordPolicy
from domain.batches import Array, TensorSpec
from domain.checking.findings import Finding, fault, not_checked, ok, warning
from domain.checking.model import Shape, shape_text
from domain.checking.sample import Sample
from domain.errors import StreamUnreadable, TrainingFailed

LabelCounts = Callable[[Array], Mapping[int, int] | None]
"""Count the classes that labels name, by number; None if they are no classes."""

_LISTED = 12
"""As many classes are told one by one."""

_BAD = (
    "send records as input_format and input_config say, or correct these, or set "
    "STREAMFIT_BAD_RECORDS"
)


def decoded(
    subject: str, sample: Sample, offsets: int, policy: BadRecordPolicy, patience: float
) -> Finding:
    """
    Say whether the first records decode.

    Args:
        subject: Which records they are.

        sample: What became of them.

        offsets: How many records the stream has, at most.

        policy: How many of these may be bad.

        patience: Seconds that were waited for the first ones.
    """
    if not sample.records:
        why = f"no record came in {patience:g} seconds"
        return not_checked(subject, why, "try again, with a longer --timeout")
    seen, spec = f"the first {sample.records:,} of {offsets:,}", sample.spec
    shown = (
        "" if spec is None else f": {_told(spec.features)}, label {_told(spec.label)}"
    )
    if not sample.rejected:
        return ok(subject, f"{seen} decode{shown}")
    bad = f"{sample.rejected:,} of {seen} are bad: {'; '.join(sample.told)}"
    try:
        policy.bear(sample.rejected, offsets, bad)
    except StreamUnreadable:
        return fault(subject, StreamUnreadable(bad + shown), _BAD)
    return warning(subject, f"{bad}; STREAMFIT_BAD_RECORDS bears that{shown}", _BAD)


def labels(sample: Sample | None, count: LabelCounts) -> Finding:
    """Say which classes there are among the first records."""
    subject = "labels"
    if sample is None or sample.spec is None:
        return not_checked(subject, "no record was decoded")
    counts: dict[int, int] = {}
    for some in map(count, sample.labels):
        if some is None:
            return ok(subject, f"{_told(sample.spec.label)}: they are no classes")
        for number, times in some.items():
            counts[number] = counts.get(number, 0) + times
    classes = sorted(counts)
    if len(classes) > _LISTED:
        text = f"{len(classes)} classes, {classes[0]} to {classes[-1]}"
    else:
        listed = ", ".join(f"{number} ({counts[number]:,})" for number in classes)
        text = f"{len(classes)} classes: {listed}"
    if len(classes) == 1 and sum(counts.values()) > 1:
        return warning(
            subject,
            f"one class alone: {classes[0]}; the stream is perhaps sorted by class",
            "if it is, set STREAMFIT_SPLIT=stratified and STREAMFIT_SHUFFLE",
        )
    return ok(subject, text)


def suiting(sample: Sample | None, takes: Shape | None) -> Finding:
    """
    Say whether the examples are what the model takes.

    Args:
        sample: The first records.

        takes: What it takes; None if nobody can tell.
    """
    subject = "examples and model"
    if sample is None or sample.spec is None:
        return not_checked(subject, "no record was decoded")
    if takes is None:
        return not_checked(subject, "what the model takes is not known")
    shape = sample.spec.features.shape
    if suits(shape, takes):
        return ok(subject, f"examples {shape_text(shape)} suit the model's input")
    error = TrainingFailed(
        f"an example is {shape_text(shape)}, the model takes {shape_text(takes)}"
    )
    return fault(
        subject, error, "correct the shape in input_config, or the model's input"
    )


def suits(shape: tuple[int, ...], takes: Shape) -> bool:
    """Say whether Keras takes examples of *shape*: a last axis of 1 may be missing."""
    return _same(shape, takes) or _same((*shape, 1), takes) or _same(shape, (*takes, 1))


def _same(shape: tuple[int, ...], takes: Shape) -> bool:
    return len(shape) == len(takes) and all(
        wanted in {None, axis} for axis, wanted in zip(shape, takes, strict=True)
    )


def _told(tensor: TensorSpec) -> str:
    return f"{tensor.dtype} {shape_text(tensor.shape)}"
