"""JSON records to arrays."""

from adapters.json.decoder import JsonDecoder

__all__ = ["JsonDecoder"]
