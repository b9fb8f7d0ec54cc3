"""Records whose keys are no labels."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from attrs import define, evolve, field

from domain.batches import BinaryColumn, Decoded, RecordBatch
from domain.errors import StreamUnreadable
from ports import Decoder


@define(eq=False)
class FeaturesOnly(Decoder):
    """
    Decodes values as those of labelled records; keys are ignored, whatever they are.

    Decoders take both, so each record is shown with the key of a good labelled one.
    That one also settles what the format leaves open: shapes are those of the labelled
    stream.

    Attributes:
        decoder: Of the labelled stream's encoding, not used before.

        labelled: Reads the labelled records, of which the first good one is needed.
    """

    decoder: Decoder
    labelled: Callable[[], Iterator[RecordBatch]]
    _key: bytes | None = field(init=False, default=None)

    def decode(self, records: RecordBatch) -> Decoded:
        """
        Return the examples of *records*, with a label that means nothing.

        Raises:
            StreamUnreadable: There is no good labelled record.
        """
        if self._key is None:
            self._key = self._first_key()
        count, width = len(records), len(self._key)
        keys = BinaryColumn(
            memoryview(self._key * count),
            range(width, width * count + 1, width) if width else [0] * count,
            width,
        )
        return self.decoder.decode(evolve(records, keys=keys))

    def _first_key(self) -> bytes:
        batches = self.labelled()
        try:
            for batch in batches:
                if not len(batch):
                    continue
                bad = {one.index for one in self.decoder.decode(batch).rejected}
                for index in range(len(batch)):
                    if index not in bad:
                        return bytes(batch.keys[index])
        finally:
            if isinstance(batches, Generator):  # which holds connections
                batches.close()
        raise StreamUnreadable(
            "topic: no labelled record decodes, and without one the unlabelled ones do "
            "not either"
        )
