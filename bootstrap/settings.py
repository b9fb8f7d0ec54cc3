"""Settings classes, filled from environment variables."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Literal, TypeVar, cast, get_args, get_origin

import cattrs
from attrs import (
    NOTHING,
    Attribute,
    AttrsInstance,
    field,
    fields,
    frozen,
    resolve_types,
    validators,
)

from adapters.wire.dialect import Dialect
from domain.bad_records import BadRecordPolicy
from domain.errors import SettingsInvalid
from domain.request import DeploymentId

T = TypeVar("T", bound=AttrsInstance)

SERVED_CASES = (1, 2, 3, 4)
"""The platform's training modes that this version serves (contract, section 10)."""

CHAIN_CASES = (3, 4, 7, 8)
"""Those whose model is a chain of sub-models."""

INCREMENTAL_CASES = (2, 4, 6, 8)
"""Those that train on a stream as it comes."""


def _is_served(_: object, __: Attribute[int], case: int | None) -> None:
    if case is not None and case not in SERVED_CASES:
        raise ValueError(
            f"case {case} is not served by this version, only case "
            f"{' or '.join(map(str, SERVED_CASES))} and, without the variable, the "
            "dialect of 2020"
        )


_BY_CODE = {"librdkafka"}
"""Fields of settings classes that no variable of that name fills."""

_BAD_RECORDS = re.compile(
    r"(?P<fail>fail)|skip:(?P<limit>\d+)|skip:(?P<percent>\d+(\.\d+)?)%"
    r"|dead-letter:(?P<topic>[A-Za-z0-9._-]{1,249})"
)


@frozen
class BadRecords:
    """
    What ``STREAMFIT_BAD_RECORDS`` says.

    Attributes:
        policy: How many are borne.

        topic: Where they go, if they are diverted.
    """

    policy: BadRecordPolicy = field(factory=BadRecordPolicy)
    topic: str | None = None


def _bad_records(text: str | BadRecords) -> BadRecords:
    """Read ``fail``, ``skip:N``, ``skip:P%`` or ``dead-letter:TOPIC``."""
    if isinstance(text, BadRecords):
        return text
    found = _BAD_RECORDS.fullmatch(text)
    if not found or float(found["percent"] or 0) > 100:
        raise ValueError(
            f"want fail, skip:N, skip:P% or dead-letter:TOPIC, got {text!r}"
        )
    if found["limit"]:
        return BadRecords(BadRecordPolicy(limit=int(found["limit"])))
    if found["percent"]:
        share = float(found["percent"]) / 100
        return BadRecords(BadRecordPolicy(limit=None, share=share))
    if found["topic"]:
        return BadRecords(BadRecordPolicy(limit=None, divert=True), found["topic"])
    return BadRecords()


@frozen
class Settings:
    """
    Which deployment, and which adapters.

    Attributes:
        deployment_id: The deployment whose control messages are meant for us.

        batch: Examples per training step.

        case: The platform's training mode, 1 to 4; its absence means the dialect of
            2020.

        conf_mat_config: Whether a confusion matrix is wanted.

        unsupervised: Whether training is semi-supervised.

        streamfit_broker: ``kafka``, ``memory`` or a plug-in.

        streamfit_backend: ``http``, ``file``, ``memory`` or a plug-in.

        streamfit_engine: ``tensorflow``, ``fake`` or a plug-in.

        streamfit_bad_records: What becomes of records that do not decode: ``fail``,
            ``skip:N``, ``skip:P%`` or ``dead-letter:TOPIC``.

        streamfit_log: ``json`` for machines, ``console`` for people.
    """

    deployment_id: DeploymentId
    batch: int = field(validator=validators.gt(0))
    case: int | None = field(default=None, validator=_is_served)
    conf_mat_config: bool = False
    unsupervised: bool = False
    streamfit_broker: str = "kafka"
    streamfit_backend: str = "http"
    streamfit_engine: str = "tensorflow"
    streamfit_bad_records: BadRecords = field(
        factory=BadRecords, converter=_bad_records
    )
    streamfit_log: Literal["json", "console"] = "json"

    @property
    def dialect(self) -> Dialect:
        """The platform's generation, told by whether it sets ``CASE``."""
        return Dialect.Y2020 if self.case is None else Dialect.CURRENT

    @property
    def job(self) -> str:
        """The use case of the training mode."""
        if self.case in INCREMENTAL_CASES:
            return "semi_supervised_live" if self.unsupervised else "incrementally"
        return "semi_supervised" if self.unsupervised else "deployment"

    @property
    def models(self) -> Literal["single", "chain"]:
        """Whether there is one model, or a chain of sub-models."""
        return "chain" if self.case in CHAIN_CASES else "single"

    @property
    def wants_confusion_matrix(self) -> bool:
        """Whether to make a confusion matrix: the platform has none of a chain."""
        return self.conf_mat_config and self.models == "single"

    @property
    def repeats_parts(self) -> bool:
        """Whether training and held-out part start over without end (section 7)."""
        return self.dialect is Dialect.Y2020


def load(cls: type[T], environ: Mapping[str, str]) -> T:
    """
    Fill *cls* from *environ*: field ``control_topic`` from ``CONTROL_TOPIC``.

    A variable that is set to nothing counts as missing.

    Raises:
        SettingsInvalid: Naming every variable that is missing or malformed.
    """
    check(environ, cls)
    given = {f.name: text for f in _read(cls) if (text := _given(f, environ))}
    return _converter.structure(given, cls)


def check(environ: Mapping[str, str], *classes: type[AttrsInstance]) -> None:
    """
    Find every mistake in the variables of all of *classes*.

    Raises:
        SettingsInvalid: Naming every variable that is missing or malformed, once.
    """
    faults = dict.fromkeys(
        fault
        for cls in classes
        for f in _read(cls)
        if (fault := _fault(f, _given(f, environ)))
    )
    if faults:
        raise SettingsInvalid("; ".join(faults))


def _read(cls: type[AttrsInstance]) -> list[Attribute[object]]:
    """Return the fields that are variables; others are filled in by code."""
    return [f for f in fields(resolve_types(cls)) if f.name not in _BY_CODE]


def _given(f: Attribute[object], environ: Mapping[str, str]) -> str:
    return environ.get(f.name.upper(), "").strip()


def _fault(f: Attribute[object], text: str) -> str | None:
    """Say what is wrong with *text* as the value of *f*, if anything."""
    variable = f.name.upper()
    if not text:
        return f"{variable} is missing or empty" if f.default is NOTHING else None
    try:
        value = _parse(f, text)
        if f.validator:
            f.validator(None, f, value)
    except (ValueError, OSError) as error:  # of the system: a path of impossible length
        return f"{variable}: {error}"
    return None


def _parse(f: Attribute[object], text: str) -> object:
    if f.converter:
        return cast("Callable[[str], object]", f.converter)(text)
    return _converter.structure(text, cast("type[object]", f.type))


def _whole(text: str, _: type) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"want a whole number, got {text!r}") from None


def _flag(text: str, _: type) -> bool:
    flags = {"true": True, "false": False, "null": False, "none": False}
    if text.lower() not in flags:
        raise ValueError(f"want true or false, got {text!r}")
    return flags[text.lower()]


def _choice(text: str, literal: type) -> str:
    if text not in get_args(literal):
        raise ValueError(f"want {' or '.join(get_args(literal))}, got {text!r}")
    return text


def _number(text: str, _: type) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"want a number, got {text!r}")
    return number


_converter = cattrs.Converter(prefer_attrib_converters=True)
_converter.register_structure_hook(int, _whole)
_converter.register_structure_hook(float, _number)
_converter.register_structure_hook(bool, _flag)
_converter.register_structure_hook_func(
    lambda kind: get_origin(cast("object", kind)) is Literal, _choice
)
