"""``streamfit send``: the options; what it does is in `bootstrap.sending.running`."""

from __future__ import annotations

import enum
import re
from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """
Examples:

  streamfit send digits.npz --topic digits --deployment 1 --bootstrap-servers kafka:9092

  streamfit send wine.csv --label quality --format avro --topic wine --deployment 300

  streamfit send photos --image-size 64x64 --topic photos --deployment 2 --test-rate 0.1
"""

DATA, TARGET, TRAINING = "The data", "Where they go", "What becomes of them"


class RecordFormat(enum.StrEnum):
    """Record formats that can be written."""

    RAW = "raw"
    AVRO = "avro"


class Color(enum.StrEnum):
    """Channels of images."""

    RGB = "rgb"
    GRAYSCALE = "grayscale"


def _size(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if found is None:
        raise typer.BadParameter(f"want HEIGHTxWIDTH, for example 28x28, got {text!r}")
    return int(found[1]), int(found[2])


def _text(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8")


def send(
    data: Annotated[
        Path,
        typer.Argument(
            help="A file, .npz, .csv, .tsv, .parquet or .avro (container); or a folder "
            "with a folder of images for each class.",
            exists=True,
        ),
    ],
    *,
    topic: Annotated[
        str, typer.Option(help="The records' topic.", rich_help_panel=TARGET)
    ],
    deployment: Annotated[
        int,
        typer.Option(
            help="The deployment's number.",
            min=0,
            envvar="DEPLOYMENT_ID",
            rich_help_panel=TARGET,
        ),
    ],
    bootstrap_servers: Annotated[
        str,
        typer.Option(
            help="Brokers, host:port, separated by commas. Any property of librdkafka "
            "comes from the environment, as for the job.",
            envvar="BOOTSTRAP_SERVERS",
            rich_help_panel=TARGET,
        ),
    ],
    control_topic: Annotated[
        str,
        typer.Option(
            help="The control topic.", envvar="CONTROL_TOPIC", rich_help_panel=TARGET
        ),
    ] = "KAFKA_ML_CONTROL_TOPIC",
    deadline: Annotated[
        float,
        typer.Option(
            help="Seconds that brokers may be away.",
            min=0,
            envvar="STREAMFIT_BROKER_DEADLINE",
            rich_help_panel=TARGET,
        ),
    ] = 60.0,
    format: Annotated[  # noqa: A002  # the option's name
        RecordFormat,
        typer.Option(
            help="Record format: raw keeps shapes, avro has a field for each number.",
            rich_help_panel=TARGET,
        ),
    ] = RecordFormat.RAW,
    data_scheme: Annotated[
        Path | None,
        typer.Option(
            help="With avro, a file with the schema of the features; made without one.",
            exists=True,
            dir_okay=False,
            rich_help_panel=TARGET,
        ),
    ] = None,
    label_scheme: Annotated[
        Path | None,
        typer.Option(
            help="With avro, a file with the schema of the label; made without one.",
            exists=True,
            dir_okay=False,
            rich_help_panel=TARGET,
        ),
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(
            help="Column or array of the features; several columns one by one. Without "
            "it all columns but the label, or an array of a usual name such as x.",
            rich_help_panel=DATA,
        ),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            help="Column or array of the label. Without it a column label, or an array "
            "of a usual name such as y.",
            rich_help_panel=DATA,
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        typer.Option(
            help="Element type of the features, for example float32. Without it the "
            "file's own; text is float32, unless all columns are whole numbers.",
            rich_help_panel=DATA,
        ),
    ] = None,
    label_dtype: Annotated[
        str | None,
        typer.Option(help="Element type of the label, likewise.", rich_help_panel=DATA),
    ] = None,
    header: Annotated[
        bool,
        typer.Option(
            help="Whether text has a first line with names; else columns are f0, f1, "
            "...",
            rich_help_panel=DATA,
        ),
    ] = True,
    image_size: Annotated[
        str | None,
        typer.Option(
            help="HEIGHTxWIDTH of all images in pixels. Without it they must be alike.",
            rich_help_panel=DATA,
        ),
    ] = None,
    color: Annotated[
        Color, typer.Option(help="Channels of all images.", rich_help_panel=DATA)
    ] = Color.RGB,
    unlabelled: Annotated[
        Path | None,
        typer.Option(
            help="Examples without labels, of the same kind, for semi-supervised "
            "training.",
            exists=True,
            rich_help_panel=DATA,
        ),
    ] = None,
    unlabelled_topic: Annotated[
        str | None,
        typer.Option(help="Their topic, another one.", rich_help_panel=TARGET),
    ] = None,
    validation_rate: Annotated[
        float,
        typer.Option(
            help="Share for validation.", min=0, max=1, rich_help_panel=TRAINING
        ),
    ] = 0.0,
    test_rate: Annotated[
        float,
        typer.Option(
            help="Share for the test.", min=0, max=1, rich_help_panel=TRAINING
        ),
    ] = 0.0,
    description: Annotated[
        str, typer.Option(help="For people.", rich_help_panel=TRAINING)
    ] = "",
    incremental: Annotated[
        bool,
        typer.Option(
            "--incremental",
            help="For deployments that train on records as they come: announced before "
            "the first one.",
            rich_help_panel=TRAINING,
        ),
    ] = False,
) -> int:
    """
    Send a data set to a topic, and announce it to a deployment.

    Each record is written once, and its delivery is verified. The control message names
    the offsets of these records and of no others, whoever else writes to the topic. If
    one of them is not accepted, there is no control message.

    Exit codes: 0 announced, 2 wrong options, 65 wrong data, 69 a library is missing,
    75 brokers away, 78 refused by the brokers or no such topic.
    """
    from adapters.datasets import DataOptions
    from bootstrap.sending import running
    from bootstrap.sending.wiring import Sending

    if (unlabelled is None) != (unlabelled_topic is None):
        raise typer.BadParameter("--unlabelled and --unlabelled-topic belong together")
    try:
        options = DataOptions(
            features=tuple(features or ()),
            labels=tuple(label or ()),
            dtype=dtype,
            label_dtype=label_dtype,
            header=header,
            image_size=None if image_size is None else _size(image_size),
            color="rgb" if color is Color.RGB else "grayscale",
        )
        sending = Sending(
            topic=topic,
            deployment=deployment,
            bootstrap_servers=bootstrap_servers,
            control_topic=control_topic,
            deadline=deadline,
            format="RAW" if format is RecordFormat.RAW else "AVRO",
            data_scheme=_text(data_scheme),
            label_scheme=_text(label_scheme),
            unlabelled_topic=unlabelled_topic,
            validation_rate=validation_rate,
            test_rate=test_rate,
            description=description,
            incremental=incremental,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return running.run(data, unlabelled, options, sending)
