"""librdkafka's properties, as the environment gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from confluent_kafka import Consumer, KafkaException

from adapters.kafka.options import LOGGER, mask
from adapters.kafka.property_names import CLIENT, CONSUMER, PRODUCER
from domain.errors import SettingsInvalid

PREFIX = "LIBRDKAFKA_"
FILE = "_FILE"

VARIABLES = {
    PREFIX + name.replace(".", "_").upper(): name
    for name in CLIENT | CONSUMER | PRODUCER
}
"""From the variable to librdkafka's own name; no two names share a variable."""

_SERVERS = "BOOTSTRAP_SERVERS says it"
_GROUP = "no consumer group is joined"
_EXACT = "streams are read exactly with our own value alone"
_SAFE = "records are written safely with our own value alone"
_LOG = "logs are taken by the job"
OWNED = {
    "acks": _SAFE,
    "allow.auto.create.topics": _EXACT,
    "auto.commit.enable": _GROUP,
    "auto.commit.interval.ms": _GROUP,
    "auto.offset.reset": _EXACT,
    "bootstrap.servers": _SERVERS,
    "check.crcs": _EXACT,
    "delivery.report.only.error": _SAFE,
    "delivery.timeout.ms": _SAFE,
    "enable.auto.commit": _GROUP,
    "enable.auto.offset.store": _GROUP,
    "enable.idempotence": _SAFE,
    "enable.partition.eof": _EXACT,
    "group.id": _GROUP,
    "group.instance.id": _GROUP,
    "group.protocol": _GROUP,
    "group.protocol.type": _GROUP,
    "group.remote.assignor": _GROUP,
    "isolation.level": _EXACT,
    "log.queue": _LOG,
    "message.timeout.ms": _SAFE,
    "metadata.broker.list": _SERVERS,
    "offset.store.method": _GROUP,
    "partition.assignment.strategy": _GROUP,
    "request.required.acks": _SAFE,
    "transactional.id": _SAFE,
}
"""Properties that are not for others to set, and why."""


def librdkafka_properties(environ: Mapping[str, str]) -> dict[str, str]:
    """
    Collect the properties that *environ* sets.

    ``LIBRDKAFKA_SASL_MECHANISM`` sets ``sasl.mechanism``.  ``LIBRDKAFKA_..._FILE``
    names a file that holds the value, for secrets; a newline at its end is not part of
    it.  A variable that is set to nothing counts as missing.

    Raises:
        SettingsInvalid: Naming every variable that is wrong, and no value of a secret.
    """
    properties: dict[str, str] = {}
    faults: list[str] = []
    for variable, text in sorted(environ.items()):
        if not variable.startswith(PREFIX) or not text.strip():
            continue
        name, is_file = _resolve(variable)
        given = variable.removesuffix(FILE) if is_file else variable
        if name is None:
            faults.append(_unknown(given))
        elif name in OWNED:
            faults.append(f"{variable}: {name} must not be changed: {OWNED[name]}")
        elif is_file and environ.get(given, "").strip():
            faults.append(f"{variable} and {given} are both set")
        elif is_file:
            try:
                properties[name] = _content(text.strip())
            except (OSError, ValueError) as error:
                faults.append(f"{variable}: {_reason(error)}")
        else:
            properties[name] = text
    faults = faults or list(_refused(properties))
    if faults:
        raise SettingsInvalid("; ".join(faults))
    return properties


def _resolve(variable: str) -> tuple[str | None, bool]:
    """Return the property that *variable* sets, and whether by a file's content."""
    if variable in VARIABLES or not variable.endswith(FILE):
        return VARIABLES.get(variable), False
    return VARIABLES.get(variable.removesuffix(FILE)), True


def _unknown(variable: str) -> str:
    known = [name.removeprefix(PREFIX) for name in VARIABLES]
    near = get_close_matches(variable.removeprefix(PREFIX), known, n=1)
    hint = f", did you mean {PREFIX}{near[0]}?" if near else ""
    return f"{variable}: librdkafka has no such property{hint}"


def _content(path: str) -> str:
    text = Path(path).read_text(encoding="utf-8").removesuffix("\n")
    if not text:
        raise ValueError(f"{path} is empty")
    return text


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, UnicodeDecodeError):
        return "the file is not UTF-8"  # whose bytes would be in the message
    return str(error)


def _refused(properties: Mapping[str, str]) -> Iterator[str]:
    """Have librdkafka check the values, and that they suit each other."""
    if not properties:
        return
    options = {"group.id": "streamfit", "log_level": 0, **properties}
    try:
        Consumer(options, logger=LOGGER).close()
    except KafkaException as error:
        yield f"{PREFIX}...: {mask(error.args[0].str(), properties)}"
