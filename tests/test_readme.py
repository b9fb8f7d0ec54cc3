"""What the README says is so."""

from __future__ import annotations

import re
from pathlib import Path

from attrs import fields

from adapters.files import FilesSettings
from adapters.http import HttpSettings
from adapters.kafka import KafkaSettings, SchemaRegistrySettings
from adapters.report.settings import ReportSettings
from adapters.sampling import SamplingSettings
from adapters.spool import SpoolSettings
from adapters.state import StateSettings
from adapters.status.settings import StatusSettings
from adapters.tensorflow import ChainSettings, ModelSettings, TensorFlowSettings
from bootstrap.incremental import IncrementalSettings
from bootstrap.main import EXIT_CODES
from bootstrap.semi_supervised import SemiSupervisedSettings
from bootstrap.settings import Settings

README = Path(__file__).parents[1].joinpath("README.md").read_text()
SETTINGS = (
    Settings,
    IncrementalSettings,
    SemiSupervisedSettings,
    SpoolSettings,
    StateSettings,
    ReportSettings,
    StatusSettings,
    SamplingSettings,
    KafkaSettings,
    SchemaRegistrySettings,
    HttpSettings,
    FilesSettings,
    TensorFlowSettings,
    ModelSettings,
    ChainSettings,
)


def test_example(capsys):
    """The example with the fakes runs as it stands, and trains."""
    (example,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)

    exec(compile(example, "README.md", "exec"), {})

    assert "TrainingReport(history=" in capsys.readouterr().out


def test_variables():
    """Every variable that a settings class reads is in a table, and no other."""
    section = README.partition("## Variables")[2].partition("## ")[0]
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))

    read = {f.name.upper() for settings in SETTINGS for f in fields(settings)}
    assert (read | {"RESULT_ID"}) - {"LIBRDKAFKA"} == told


def test_exit_codes():
    """Every exit code is in the table."""
    told = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}

    assert {0, 143, *EXIT_CODES.values()} == told
