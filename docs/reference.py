"""The page of all variables, made from the settings classes that read them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin

from attrs import NOTHING, Attribute, AttrsInstance, fields, frozen
from attrs import resolve_types as resolved

from adapters.files import FilesSettings
from adapters.http.settings import HttpChainSettings, HttpLimits, HttpSettings
from adapters.kafka import KafkaSettings, SchemaRegistrySettings
from adapters.report.settings import ReportSettings
from adapters.sampling import SamplingSettings
from adapters.spool import SpoolSettings
from adapters.state import StateSettings
from adapters.status.settings import PushSettings, StatusSettings
from adapters.tensorflow import ChainSettings, ModelSettings, TensorFlowSettings
from adapters.tensorflow.event_files import TensorBoardSettings
from adapters.traces.settings import TracesSettings
from adapters.tracking.settings import MlflowSettings
from bootstrap.incremental import IncrementalSettings
from bootstrap.semi_supervised import SemiSupervisedSettings
from bootstrap.settings import BadRecords, Settings

PAGE = Path(__file__).with_name("variables.md")


@frozen
class Section:
    """
    The variables of some settings classes.

    Attributes:
        title: What they are about.

        when: When they are read.

        classes: What reads them.
    """

    title: str
    when: str
    classes: tuple[type[AttrsInstance], ...]


ALWAYS = "In every case."

SECTIONS = (
    Section("The deployment", ALWAYS, (Settings,)),
    Section("Kafka", "With `STREAMFIT_BROKER=kafka`.", (KafkaSettings,)),
    Section(
        "Back-end over HTTP",
        "With `STREAMFIT_BACKEND=http`, in every case.",
        (HttpLimits,),
    ),
    Section(
        "One model",
        "With `STREAMFIT_BACKEND=http`, in cases 1 and 2, and without `CASE`.",
        (HttpSettings,),
    ),
    Section(
        "A chain of sub-models",
        "With `STREAMFIT_BACKEND=http`, in cases 3 and 4.",
        (HttpChainSettings,),
    ),
    Section("Back-end of files", "With `STREAMFIT_BACKEND=file`.", (FilesSettings,)),
    Section("Training", "With `STREAMFIT_ENGINE=tensorflow`.", (TensorFlowSettings,)),
    Section("Model files", "With `STREAMFIT_ENGINE=tensorflow`.", (ModelSettings,)),
    Section(
        "How a chain is compiled",
        "With `STREAMFIT_ENGINE=tensorflow`, in cases 3 and 4.",
        (ChainSettings,),
    ),
    Section(
        "Streams that are still being written",
        "In cases 2 and 4.",
        (IncrementalSettings,),
    ),
    Section(
        "Records without labels",
        "With `UNSUPERVISED=True`, in cases 1 to 4.",
        (SemiSupervisedSettings,),
    ),
    Section("Order and shares", ALWAYS, (SamplingSettings,)),
    Section("Schema registry", "With records in AVRO.", (SchemaRegistrySettings,)),
    Section("Spool", ALWAYS, (SpoolSettings,)),
    Section("State", ALWAYS, (StateSettings,)),
    Section("Report", ALWAYS, (ReportSettings,)),
    Section("Status", ALWAYS, (StatusSettings,)),
    Section("Pushed metrics", ALWAYS, (PushSettings,)),
    Section("Traces", ALWAYS, (TracesSettings,)),
    Section("MLflow", ALWAYS, (MlflowSettings,)),
    Section("TensorBoard", ALWAYS, (TensorBoardSettings,)),
)

INTRODUCTION = """\
# Variables

Every variable that the job reads, with the class that reads it. `make docs` makes this
page from those classes, and the tests fail if it says anything else. The platform sets
those in capitals without a prefix; the others, `STREAMFIT_...` above all, are for
operators, and none of them is needed.

A variable that is set to nothing counts as not set; blanks around a value do not count.
"None" in a meaning is a variable that is not set. All mistakes are named in one
message, and the job ends with 78 ([errors](errors.md#settingsinvalid)).
"""

OTHERS = """\
## Others

In every case. No class reads them.

| variable | meaning |
|---|---|
| `RESULT_ID` | Said in every record of the log, and used for nothing else: there \
is no consumer group, and nothing is committed. |
| `STREAMFIT_TERMINATION_LOG` | File for the last word, a JSON object; \
`/dev/termination-log` without it. |
| `LIBRDKAFKA_...` | Any property of librdkafka, with underscores for dots: \
`LIBRDKAFKA_SECURITY_PROTOCOL`. It holds for control topic, streams and dead letters \
alike. Unknown ones, and those that the job must set itself, are refused by name. On \
links below some 56 kB/s raise `LIBRDKAFKA_SOCKET_TIMEOUT_MS`. |
| `LIBRDKAFKA_..._FILE` | File that holds the value of such a property, for secrets. |
| `NO_COLOR` | No colours at a terminal. |
"""

BY_CODE = {"librdkafka"}
"""Fields that no variable of that name fills."""

KINDS: Mapping[object, str] = {
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    BadRecords: "`fail`, `skip:N`, `skip:P%` or `dead-letter:TOPIC`",
}

NAMED: Mapping[str, str] = {
    "schema_registry_auth_file": "path",
    "result_url": "URL; of a chain a Python list of them",
    "streamfit_spool_memory": "size, such as `2GiB`",
    "streamfit_steps_per_execution": "`auto` or whole number",
}
"""Kinds that the type does not tell."""

DEFAULTS: Mapping[object, str] = {dict: "`{}`", BadRecords: "`fail`"}
"""What a factory makes; of others the meaning tells it."""


def page() -> str:
    """Return the page."""
    return "\n".join([INTRODUCTION, *map(_section, SECTIONS), OTHERS])


def meanings(cls: type[AttrsInstance]) -> dict[str, str]:
    """Return what the docstring of *cls* says of each attribute."""
    told = cleandoc(cls.__doc__ or "").partition("Attributes:\n")[2]
    found = re.findall(r"^    (\w+): (.*(?:\n(?:     .*)?$)*)", told, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}


def _section(section: Section) -> str:
    rows = [row for cls in section.classes for row in _rows(cls)]
    head = ["| variable | kind | default | meaning |", "|---|---|---|---|"]
    names = ", ".join(f"`{cls.__module__}.{cls.__name__}`" for cls in section.classes)
    about = f"{section.when} {names}."
    return "\n".join([f"## {section.title}", "", about, "", *head, *rows, ""])


def _rows(cls: type[AttrsInstance]) -> Iterator[str]:
    told = meanings(cls)
    for f in fields(resolved(cls)):
        if not f.inherited and f.name not in BY_CODE:
            meaning = told[f.name].replace("``", "`")
            yield f"| `{f.name.upper()}` | {kind(f)} | {default(f)} | {meaning} |"


def kind(f: Attribute[object]) -> str:
    """Say what values a variable takes."""
    if f.name in NAMED:
        return NAMED[f.name]
    wanted: object = f.type
    if get_origin(wanted) in {Union, UnionType}:
        wanted = next(one for one in get_args(wanted) if one is not NoneType)
    wanted = getattr(wanted, "__supertype__", wanted)  # of a NewType
    origin = get_origin(wanted)
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in get_args(wanted))
    if origin is tuple:
        return "names, separated by commas"
    if wanted is bool:  # the platform's are words, ours are numbers
        return "`1` or `0`" if f.converter else "`true` or `false`"
    return KINDS.get(wanted, "JSON object or Python dictionary")


def default(f: Attribute[object]) -> str:
    """Say what a variable is that is not set."""
    value = f.default
    if value is NOTHING:
        return "needed"
    if made_by := getattr(value, "factory", None):
        return DEFAULTS.get(made_by, "see there")
    if value in {None, (), ""}:
        return "none"
    if isinstance(value, bool):
        return f"`{int(value)}`" if f.converter else f"`{str(value).lower()}`"
    return f"`{value:.15g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
