"""Records whose keys are no labels."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

from attrs import define, evolve, field

from domain.batches import BinaryColumn, Decoded, RecordBatch
from domain.errors import StreamUnreadable
from domain.progress import Opening
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
    _shown: Opening | None = field(init=False, default=None)

    def decode(self, records: RecordBatch) -> Decoded:
        """
        Return the examples of *records*, with a label that means nothing.

        Raises:
            StreamUnreadable: There is no good labelled record.
        """
        key = bytes.fromhex(self.example().key)
        count, width = len(records), len(key)
        keys = BinaryColumn(
            memoryview(key * count),
            range(width, width * count + 1, width) if width else [0] * count,
            width,
        )
        return self.decoder.decode(evolve(records, keys=keys))

    def example(self) -> Opening:
        """
        Return the labelled record that stands in for the others' keys.

        Raises:
            StreamUnreadable: There is no good one.
        """
        if self._shown is None:
            self._shown = self._first()
        return self._shown

    def show(self, example: Opening) -> None:
        """Take *example* for that record: the stream may have lost it by now."""
        self.decoder.decode(example.records("labelled"))
        self._shown = example

    def _first(self) -> Opening:
        batches = self.labelled()
        try:
            for batch in batches:
                if not len(batch):
                    continue
                if found := Opening.of(batch, self.decoder.decode(batch)):
                    return found
        finally:
            if isinstance(batches, Generator):  # which holds connections
                batches.close()
        raise StreamUnreadable(
            "topic: no labelled record decodes, and without one the unlabelled ones do "
            "not either"
        )
