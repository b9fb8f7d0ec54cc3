"""Avro records to arrays, and arrays to Avro records."""

from adapters.avro.decoder import AvroDecoder
from adapters.avro.encoder import AvroEncoder
from adapters.avro.writers import Registry

__all__ = ["AvroDecoder", "AvroEncoder", "Registry"]
