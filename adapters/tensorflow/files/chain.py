"""
Chains of sub-models, each in a file of its own (contract, section 10.3).

The first sub-model takes the data.  Each but the last gives two things: what the next
one takes, and its own prediction.  The last one gives its prediction.  They are trained
as one model whose outputs are the predictions, and go back one by one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from attrs import evolve, frozen

from adapters.tensorflow.files import archives
from adapters.tensorflow.files.compiling import compile_chain
from adapters.tensorflow.files.ends import Ends, ends
from adapters.tensorflow.files.engines import loading
from adapters.tensorflow.files.format import (
    Description,
    LoadedModel,
    ModelFile,
    SubModelFile,
)
from adapters.tensorflow.files.keras_archive import KerasArchive
from adapters.tensorflow.files.keras_hdf5 import KerasHdf5
from adapters.tensorflow.files.outline import outline
from adapters.tensorflow.files.signature import Signature, signature
from adapters.tensorflow.model_settings import ChainSettings, ModelSettings
from domain.errors import ModelInvalid
from domain.events import Layer

_REASON = 300  # characters of what Keras says


@frozen
class ModelChain(ModelFile):
    """
    A folder with the files ``1.h5``, ``2.h5``, ... of a chain.

    Attributes:
        path: The folder.

        settings: What the files may hold.

        chain: How the joined model is compiled.
    """

    path: Path
    settings: ModelSettings
    chain: ChainSettings

    def inspect(self) -> str:
        """Look into all files, and whether they make a chain; see the protocol."""
        return outline(*(described.outline for described in self._described()))

    def layers(self) -> tuple[Layer, ...]:
        """Name the layers of all sub-models; see the protocol."""
        return tuple(
            evolve(layer, part=name)
            for name, file in zip(
                self._names(), self.sub_models().values(), strict=True
            )
            for layer in file.layers()
        )

    def load(self) -> LoadedModel:
        """Inspect the files, load and join them afresh; see the protocol."""
        names = self._names()
        loaded = []
        for number, file in self.sub_models().items():
            with _of(number):
                loaded.append(file.load_uncompiled())
        keras = loaded[0].engine
        with loading(self.settings.streamfit_max_model_bytes):
            inputs, predictions = _joined([each.keras_model for each in loaded])
            model = keras.Model(inputs, predictions, name="chain")
            # Keras puts an output's name before those of its metrics.  Whatever the
            # sub-models are called, numbers can be told from metrics again.
            model.output_names = [str(number) for number in self.sub_models()]
            compile_chain(model, keras, self.chain, self.settings)
        return LoadedModel(model, keras, names)

    def save(self, keras_model: Any, folder: Path) -> Path:
        """Write ``trained_model_1.h5``, ... for the sub-models of *keras_model*."""
        for name, (number, file) in zip(
            self._names(), self.sub_models().items(), strict=True
        ):
            saved = file.save(keras_model.get_layer(name), folder)
            saved.rename(folder / f"trained_model_{number}{saved.suffix}")
        return folder

    def _names(self) -> tuple[str, ...]:
        return tuple(ends(described.model).name for described in self._described())

    def sub_models(self) -> dict[int, SubModelFile]:
        """Return the files by the numbers of their sub-models."""
        files: dict[int, SubModelFile] = {}
        while (path := self.path / f"{len(files) + 1}.h5").exists():
            with _of(len(files) + 1):
                files[len(files) + 1] = _sub_model_file(path, self.settings)
        if len(files) < 2:
            raise ModelInvalid(f"{self.path}: no chain, which is 1.h5, 2.h5, ...")
        return files

    def _described(self) -> list[Description]:
        """Look into every file, and see to it that they make a chain."""
        described = []
        for number, file in self.sub_models().items():
            with _of(number):
                described.append(file.describe())
        engines = sorted({each.engine for each in described})
        if len(engines) > 1:
            raise ModelInvalid(
                "the sub-models are of Keras 2 and of Keras 3: save all with the same"
            )
        found = [ends(each.model) for each in described]
        _require_names(found)
        for number, each in enumerate(found, 1):
            with _of(number):
                _require_counts(each, first=number == 1, last=number == len(found))
        for number, (before, after) in enumerate(itertools.pairwise(found), 1):
            with _of(number + 1):
                _require_fit(before, after)
        return described


@contextmanager
def _of(number: int) -> Iterator[None]:
    """Say of a refusal which sub-model it is about."""
    try:
        yield
    except ModelInvalid as reason:
        raise ModelInvalid(f"sub-model {number}: {reason}") from reason


def _sub_model_file(path: Path, settings: ModelSettings) -> SubModelFile:
    kind = signature(path)
    if kind is Signature.HDF5:
        return KerasHdf5(path, settings)
    if kind is Signature.ZIP and archives.holds(path, "config.json"):
        return KerasArchive(path, settings)
    raise ModelInvalid("a SavedModel, which no chain may hold: save it as HDF5")


def _require_names(found: Sequence[Ends]) -> None:
    """Refuse sub-models that have the same name: their metrics could not be told."""
    for (first, one), (second, other) in itertools.combinations(enumerate(found, 1), 2):
        if one.name == other.name:
            raise ModelInvalid(
                f"sub-models {first} and {second} are both called {one.name!r}: "
                "give them different names (Keras's `name`)"
            )


def _require_counts(found: Ends, *, first: bool, last: bool) -> None:
    if first and found.inputs not in {1, None}:
        raise ModelInvalid(f"{found.name!r} has {found.inputs} inputs, want one")
    if last and found.outputs not in {1, None}:
        raise ModelInvalid(
            f"{found.name!r}, the last one, has {found.outputs} outputs, want one"
        )
    if not last and found.outputs not in {2, None}:
        raise ModelInvalid(
            f"{found.name!r} has {found.outputs} output(s), want two: what the next "
            "sub-model takes, and its own prediction"
        )


def _require_fit(before: Ends, after: Ends) -> None:
    if after.inputs not in {1, None}:
        raise ModelInvalid(f"{after.name!r} has {after.inputs} inputs, want one")
    sizes = {before.gives, after.takes}
    # Keras stretches an axis of one, or takes it away.
    if len(sizes) == 2 and not sizes & {None, 1}:
        raise ModelInvalid(
            f"{after.name!r} takes {after.takes} features, and {before.name!r} before "
            f"it gives {before.gives}"
        )


def _joined(models: Sequence[Any]) -> tuple[Any, list[Any]]:
    """Return the input of the first of *models*, and what each of them predicts."""
    first, *others = models
    if len(first.inputs or ()) != 1:
        raise ModelInvalid(f"sub-model 1: {first.name!r} does not have one input")
    tensor, predictions = first.inputs[0], []
    for number, model in enumerate(models, 1):
        with _of(number):
            outputs = _called(model, tensor)
            wanted = 2 if number <= len(others) else 1
            if len(outputs) != wanted:
                raise ModelInvalid(
                    f"{model.name!r} has {len(outputs)} output(s), want {wanted}"
                )
        tensor, prediction = outputs[0], outputs[-1]
        predictions.append(prediction)
    return first.inputs[0], predictions


def _called(model: Any, tensor: Any) -> list[Any]:
    try:
        outputs = model(tensor)
    except (TypeError, ValueError) as error:
        reason = shorten(str(error), _REASON, placeholder=" ...")
        raise ModelInvalid(
            f"{model.name!r} cannot take what the one before gives: {reason}"
        ) from error
    if isinstance(outputs, dict):
        raise ModelInvalid(f"{model.name!r} names its outputs: want a list, in order")
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]
