"""How records become examples."""

from __future__ import annotations

from typing import Protocol

from domain.batches import Decoded, RecordBatch
from domain.request import DecoderSpec


class Decoder(Protocol):
    """
    The encoding of one stream.

    A decoder belongs to one stream: where the format leaves the shape open, the first
    good record settles it for all that follow.
    """

    def decode(self, records: RecordBatch) -> Decoded:
        """
        Decode a whole batch at once.

        Examples keep the order of their records.  The arrays may be views of the
        batch's own buffers.  Shapes and dtypes are the same in every batch.  Whatever
        the bytes are, nothing is raised, and nothing is allocated by a length that
        they declare: a record that is not of this encoding is rejected.
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
