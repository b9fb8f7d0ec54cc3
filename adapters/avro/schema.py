"""Avro schemas, as senders write them."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from typing import cast

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from domain.errors import MalformedRequest


def parse_schema(place: str, scheme: object) -> dict[str, object]:
    """
    Return the record schema in *scheme*, with every name in full.

    Args:
        place: What to call it in messages.

        scheme: A parsed schema, or its text: JSON, or what ``str()`` made of the parsed
            JSON in older senders.

    Raises:
        MalformedRequest: It is no record schema.
    """
    if scheme is None:
        raise MalformedRequest(f"{place}: required field missing")
    try:
        declared = _parse_text(scheme) if isinstance(scheme, str) else scheme
    except (ValueError, RecursionError, MemoryError) as error:
        raise MalformedRequest(f"{place}: neither JSON nor Python: {error}") from error
    if not isinstance(declared, dict):
        raise MalformedRequest(f"{place}: want a record, got {declared!r:.40}")
    # A schema must not say of itself that it needs no check.
    unchecked = {key: declared[key] for key in declared if not _is_mark(key)}
    try:
        parsed = fastavro.parse_schema(unchecked)
    except (
        SchemaParseException,
        UnknownType,
        AttributeError,
        KeyError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        reason = f"not an Avro schema: {error!r:.200}"
        raise MalformedRequest(f"{place}: {reason}") from error
    return cast("dict[str, object]", parsed)  # a record stays one


def _parse_text(text: str) -> object:
    with suppress(ValueError):  # older senders put single quotes
        return json.loads(text)
    with suppress(ValueError, SyntaxError):  # unless JSON's null or true is in it
        return ast.literal_eval(text)
    return json.loads(text.replace("'", '"'))


def _is_mark(key: object) -> bool:
    return str(key).startswith("__")
