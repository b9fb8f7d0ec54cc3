"""The decoder for a format's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import frozen

from domain.errors import MalformedRequest
from domain.request import DecoderSpec
from ports import Decoder, DecoderFactory


@frozen
class Formats(DecoderFactory):
    """
    A table of record formats.

    Attributes:
        decoders: By the name in ``input_format``, what makes a decoder from the
            ``input_config`` of a control message.
    """

    decoders: Mapping[str, Callable[[Mapping[str, object]], Decoder]]

    def __call__(self, spec: DecoderSpec) -> Decoder:
        """See DecoderFactory."""
        if spec.format not in self.decoders:
            raise MalformedRequest(
                f"input_format: {spec.format!r} is not served, "
                f"only {', '.join(sorted(self.decoders))}"
            )
        return self.decoders[spec.format](spec.options)
