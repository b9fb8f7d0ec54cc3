"""How records become examples."""

from __future__ import annotations

from typing import Protocol

from domain.batches import ExampleBatch, RecordBatch
from domain.request import DecoderSpec


class Decoder(Protocol):
    """
    The encoding of one stream.

    A decoder belongs to one stream: where the format leaves the shape open, the first
    record settles it for all that follow.
    """

    def decode(self, records: RecordBatch) -> ExampleBatch:
        """
        Decode a whole batch at once; example *i* is record *i*.

        The arrays may be views of the batch's own buffers.  Shapes and dtypes are the
        same in every batch.

        Raises:
            StreamUnreadable: A record is not of this encoding; the message names its
                place, and the size found and wanted.
        """
        ...


class DecoderFactory(Protocol):
    """Makes the decoder that a training request asks for."""

    def __call__(self, spec: DecoderSpec) -> Decoder:
        """
        Make a decoder for one stream.

        Raises:
            MalformedRequest: The format is unknown or its options are invalid.
        """
        ...
