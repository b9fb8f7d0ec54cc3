"""How many steps run in one go."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from adapters.tensorflow.blocks import Run, block_steps, fitting_block

L = tf_keras.layers


def of(*layers, shape=(6, 4)):
    return tf_keras.Sequential([tf_keras.Input(shape), *layers])


def by_itself(model, batch=32, device="CPU", wanted=None):
    of_keras_3 = not isinstance(model, tf_keras.Model)
    return block_steps(wanted, model, batch, device, of_keras_3=of_keras_3)


class TestChoice:
    @pytest.mark.parametrize("engine", [keras, tf_keras])
    def test_small_models(self, engine):
        """Small steps run in long blocks."""
        model = engine.Sequential([engine.Input((784,)), engine.layers.Dense(10)])

        assert 64 == by_itself(model)

    @pytest.mark.parametrize("engine", [keras, tf_keras])
    def test_large_models(self, engine):
        """Steps of seconds run one by one, so that signals need not wait."""
        convolution = engine.layers.Conv2D(64, 3)
        inner = engine.Sequential([engine.Input((256, 256, 64)), convolution])
        model = engine.Sequential([engine.Input((256, 256, 64)), inner])

        assert 1 == by_itself(model)

    def test_large_batches(self):
        """The larger the batch, the shorter the block."""
        model = of(L.Flatten(), L.Dense(5000), L.Dense(1000))

        blocks = [by_itself(model, batch) for batch in (1, 32, 256, 8192)]

        assert sorted(blocks, reverse=True) == blocks
        assert blocks[0] > blocks[1] > blocks[2] > blocks[3] == 1

    def test_gpu(self):
        """A GPU takes longer blocks in the same time."""
        model = of(L.Flatten(), L.Dense(5000), L.Dense(1000))

        assert by_itself(model, 1024, "CPU") < by_itself(model, 1024, "GPU")

    def test_tables_cost_nothing(self):
        """A large vocabulary is looked up, not multiplied with."""
        model = of(L.Embedding(1_000_000, 16), L.Flatten(), L.Dense(2), shape=(6,))

        assert 64 == by_itself(model)

    def test_asked_for(self):
        """Who asks for a number gets it, whatever the model."""
        assert 7 == by_itself(of(L.Dropout(0.5, seed=1)), wanted=7)


class TestRandomLayers:
    """In Keras 2, layers with a seed of their own draw other numbers in a block."""

    @pytest.mark.parametrize(
        "make",
        [
            lambda: of(L.Dropout(0.1, seed=1)),
            lambda: of(of(L.GaussianNoise(0.5, seed=1))),
            lambda: of(L.TimeDistributed(L.Dropout(0.1, seed=1))),
            lambda: of(L.RandomFlip(seed=1), shape=(8, 8, 1)),
            lambda: of(L.Lambda(lambda x: x + 1)),
        ],
        ids=["plain", "nested", "wrapped", "images", "code"],
    )
    def test_one_by_one(self, make):
        """They are found wherever they are, and their steps run one by one."""
        assert 1 == by_itself(make())

    def test_operations(self):
        """So are random functions, which have no layer of their own."""
        inputs = tf_keras.Input((4,))

        assert 1 == by_itself(tf_keras.Model(inputs, tf.nn.dropout(inputs, 0.1)))

    @pytest.mark.parametrize(
        "make",
        [
            lambda: of(L.Dropout(0.1)),
            lambda: of(L.Dropout(0, seed=1)),
            lambda: of(L.Bidirectional(L.LSTM(3, dropout=0.1))),
            lambda: of(L.Dense(3, kernel_initializer=tf_keras.initializers.Zeros())),
            lambda: of(
                L.Dense(
                    3, kernel_initializer=tf_keras.initializers.RandomNormal(seed=1)
                )
            ),
        ],
        ids=["unseeded", "idle", "cells", "zeros", "initializer"],
    )
    def test_in_blocks(self, make):
        """Others draw the same numbers, or none."""
        assert 64 == by_itself(make())

    def test_keras_3(self):
        """Keras 3 draws the same numbers always."""
        layer = keras.layers.Dropout(0.5, seed=1)

        assert 64 == by_itself(keras.Sequential([keras.Input((4,)), layer]))


class TestEnds:
    """Blocks end where epochs and data do."""

    @pytest.mark.parametrize("of_keras_3", [False, True])
    def test_of_passes(self, of_keras_3):
        """Where an epoch is a pass, Keras cuts the last block itself."""
        runs = [Run(101), Run(17)]

        assert 64 == fitting_block(64, runs, of_keras_3=of_keras_3)

    @pytest.mark.parametrize(
        ("steps", "block"), [(1000, 50), (1687, 7), (61, 61), (67, 1), (3, 3)]
    )
    def test_of_epochs_in_keras_3(self, steps, block):
        """Keras 3 would run the last block beyond the epoch's end."""
        runs = [Run(100, steps, endless=True)]

        assert block == fitting_block(64, runs, of_keras_3=True)
        assert 64 == fitting_block(64, runs, of_keras_3=False)

    @pytest.mark.parametrize(("batches", "block"), [(100, 10), (90, 64), (97, 7)])
    def test_of_data_in_keras_2(self, batches, block):
        """Keras 2 would lose the metrics of a block in which the data end."""
        runs = [Run(batches, 30)]

        assert block == fitting_block(64, runs, of_keras_3=False)

    def test_of_validation(self):
        """A block suits both parts."""
        runs = [Run(100, 40), Run(50, 6)]

        assert 2 == fitting_block(64, runs, of_keras_3=True)

    def test_single_step(self):
        """An epoch of one step needs no block, for validation neither."""
        for run in (Run(1), Run(9, 1), Run(9, 1, endless=True)):
            assert 1 == fitting_block(64, [run, Run(5)], of_keras_3=False)


def test_seeded_layers_differ_in_blocks():
    """The reason for the rule: should Keras 2 mend this, the rule can go."""
    # As without STREAMFIT_SEED, which another test may have set.
    tf_keras.backend.experimental.disable_tf_random_generator()

    def train(steps):
        tf_keras.utils.set_random_seed(1)
        model = of(L.Dropout(0.5, seed=1), L.Dense(1), shape=(4,))
        model.compile("sgd", "mse", steps_per_execution=steps)
        x = np.arange(80.0).reshape(20, 4) / 80
        model.fit(x, x[:, :1], batch_size=2, shuffle=False, verbose=0)
        return model.get_weights()[0]

    np.testing.assert_array_equal(train(1), train(1))
    assert not np.array_equal(train(1), train(10))
