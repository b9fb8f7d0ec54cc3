"""JSON text, as strict as numbers need it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NoReturn

from adapters.wire.faults import BadRecord, Fault


def parse(name: str, encoded: memoryview) -> object:
    """
    Return what is written in *encoded*, UTF-8.

    Args:
        name: What to call it in messages.

        encoded: One record's key or value.

    Raises:
        BadRecord: It is no JSON, or has a name twice, or a number that is none.
    """
    try:
        text = str(encoded, "utf-8")
        return _decoder.decode(text)
    except BadRecord as error:
        fault = error.fault
    except json.JSONDecodeError as error:
        kind = "truncated" if error.pos >= len(text.rstrip()) else "value"
        if error.msg == "Extra data":
            kind = "trailing"
        fault = Fault(kind, f"no JSON at {error.pos}")
    except UnicodeDecodeError as error:
        fault = Fault("value", f"no UTF-8 at {error.start}")
    except RecursionError:
        fault = Fault("value", "nested too deep")
    except ValueError:  # digits that Python does not convert
        fault = Fault("value", "a number beyond all types")
    raise BadRecord(fault.kind, f"{name} of {len(encoded)} bytes: {fault.reason}")


def _members(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise BadRecord("value", "a name that stands twice in an object")
    return members


def _constant(_: str) -> NoReturn:
    raise BadRecord("value", "NaN or Infinity")


_decoder = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_constant)
