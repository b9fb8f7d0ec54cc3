"""
The report, for machines: what the JSON file holds.

Times are seconds, or moments in UTC as ISO 8601 writes them; numbers that are not
finite are null.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Literal

import cattrs
from attrs import frozen

from adapters.report.data import Data
from adapters.report.training import Training

VERSION = 1

State = Literal["running", "delivered", "stopped", "failed"]


@frozen
class Run:
    """
    One process, from its beginning to its end.

    Attributes:
        state: What has become of it.

        deployment: The deployment's number.

        identity: What tells the training from others; empty if there was none.

        begun: When.

        told: When this was said: at its end, if it has ended.

        seconds: From one to the other.

        phase: What it is doing, or did last.

        code: The process's exit code, once it has ended.

        reason: What went wrong, if anything did.

        results: How many were accepted.
    """

    state: State
    deployment: str
    identity: str
    begun: str
    told: str
    seconds: float
    phase: str | None = None
    code: int | None = None
    reason: str = ""
    results: int = 0


@frozen
class StageTime:
    """
    How long a phase took.

    Attributes:
        phase: Which.

        seconds: All its times together.

        times: How often it was.
    """

    phase: str
    seconds: float
    times: int = 1


@frozen
class Skipped:
    """
    A control message that was passed over.

    Attributes:
        position: Where it lies.

        reason: Why.
    """

    position: str
    reason: str


@frozen
class LayerLine:
    """
    A layer of the model, as its file tells it.

    Attributes:
        name: Its own.

        kind: Its class.

        shape: Of what goes into it, if the file tells.

        parameters: How many weights it has, if the file tells.

        part: The sub-model that it is in, of a chain.
    """

    name: str
    kind: str
    shape: tuple[int | None, ...] = ()
    parameters: int | None = None
    part: str = ""


@frozen
class Document:
    """
    The report of a run.

    Attributes:
        run: The process.

        data: What was trained on; None if there was no message to serve.

        training: What came of it.

        stages: How long it took, phase by phase, in the order in which they began.

        skipped: Control messages that were passed over.

        model: Its layers.

        settings: Variables that are set, secrets masked.

        versions: Of what had a part in the result.

        machine: What it ran on.

        version: Of this form.
    """

    run: Run
    data: Data | None
    training: Training
    stages: tuple[StageTime, ...]
    skipped: tuple[Skipped, ...]
    model: tuple[LayerLine, ...]
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    machine: Mapping[str, str]
    version: int = VERSION

    def json(self) -> str:
        """Return it as JSON."""
        told = _converter.unstructure(self)
        return json.dumps(told, indent=1, allow_nan=False, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Document:
        """
        Read what `json` wrote.

        Raises:
            ValueError: It is none, or one of another version.
        """
        told = json.loads(text)
        if not isinstance(told, dict) or told.get("version") != VERSION:
            raise ValueError("no report of a run, or one of another version")
        try:
            return _converter.structure(told, cls)
        except (cattrs.BaseValidationError, TypeError, KeyError) as error:
            raise ValueError("no whole report of a run") from error


_converter = cattrs.Converter()
