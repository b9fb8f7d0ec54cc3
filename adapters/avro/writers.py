"""How to read what was written with the schemas of a registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import define, field

from adapters.avro.compiling import Record, compile_record
from adapters.avro.resolving import Writer, resolve
from adapters.avro.schema import parse_schema
from adapters.wire.faults import BadRecord, Fault
from domain.errors import MalformedRequest

Registry: TypeAlias = Callable[[int], str]
"""Returns the text of a schema by its id; LookupError if there is none of that id."""

MOST_UNREADABLE = 100
"""Ids that cannot be read: whatever comes after them is not asked for."""


@define(eq=False)
class Writers:
    """
    The writers of a stream, by schema id; each is asked for once.

    Attributes:
        reader: What their records are read as.

        registry: Where their schemas are; None if all of them are the reader's.
    """

    reader: Record
    registry: Registry | None
    own: Writer = field(init=False)
    _found: dict[int, Writer | Fault] = field(factory=dict, init=False)
    _unreadable: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self.own = Writer(self.reader.steps, {}, {})

    def find(self, schema_id: int) -> Writer | Fault:
        """
        Return how to read the records of a schema, or why they cannot be read.

        Raises:
            Unavailable: The registry stayed away.
        """
        if self.registry is None:
            return self.own
        if schema_id not in self._found:
            if self._unreadable >= MOST_UNREADABLE:
                return Fault("schema", f"schema {schema_id}: too many are unreadable")
            self._found[schema_id] = found = self._fetch(schema_id, self.registry)
            self._unreadable += isinstance(found, Fault)
        return self._found[schema_id]

    def _fetch(self, schema_id: int, registry: Registry) -> Writer | Fault:
        place = f"schema {schema_id}"
        try:
            written = parse_schema(place, registry(schema_id))
            return resolve(compile_record(place, written, lenient=True), self.reader)
        except LookupError:
            return Fault("schema", f"{place}: not in the registry")
        except MalformedRequest as error:
            return Fault("schema", str(error))
        except BadRecord as error:
            return Fault("schema", f"{place}: {error}")
