"""RAW records to arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from adapters.raw import RawDecoder
from adapters.wire.tensors import DTYPES
from domain.errors import MalformedRequest
from tests.builders import RAW_CONFIG, records


def decoder(**options: object) -> RawDecoder:
    return RawDecoder.from_options({**RAW_CONFIG, **options})


def decode(values, keys=None, **options):
    keys = keys or [b"\x01"] * len(values)
    return accepted(decoder(**options), list(zip(keys, values, strict=True)))


def accepted(decoder, pairs):
    """Decode records that are all good."""
    decoded = decoder.decode(records(pairs))
    assert () == decoded.rejected
    return decoded.examples


def refused(decoder, pairs):
    """Return position and reason of the bad records."""
    decoded = decoder.decode(records(pairs))
    assert len(pairs) == len(decoded.examples) + len(decoded.rejected)
    return [(bad.index, bad.reason) for bad in decoded.rejected]


class TestBytes:
    def test_contract(self):
        """The contract's worked record, section 11."""
        value = bytes.fromhex("0000803f0000803f0000004000004040")

        batch = decode([value], [b"\x01"], data_reshape="2 2")

        np.testing.assert_array_equal([[[1, 1], [2, 3]]], batch.features)
        np.testing.assert_array_equal([[1]], batch.labels)
        assert ("float32", "uint8") == (
            batch.element_spec.features.dtype,
            batch.element_spec.label.dtype,
        )

    @pytest.mark.parametrize("name", DTYPES)
    def test_dtypes(self, name):
        """Every name of either column of the contract, little-endian."""
        dtype = np.dtype({"half": "e", "float": "f4", "double": "f8"}.get(name, name))
        array = np.array([[0, 1], [2, 3]]).astype(dtype)

        batch = decode(
            [row.astype(dtype.newbyteorder("<")).tobytes() for row in array],
            data_type=name,
        )

        np.testing.assert_array_equal(array, batch.features)
        assert dtype.name == batch.element_spec.features.dtype

    def test_any_byte_but_zero_is_true(self):
        """A bool is false only as byte 0."""
        batch = decode([b"\x00\x01", b"\x02\xff"], data_type="bool")

        assert [[False, True], [True, True]] == batch.features.tolist()

    def test_views(self):
        """A batch is decoded without a copy of its bytes."""
        batch = records([(b"\x01", bytes(8)), (b"\x02", bytes(8))])

        features = decoder().decode(batch).examples.features

        assert np.shares_memory(np.frombuffer(batch.values.data, np.uint8), features)


class TestReshape:
    @pytest.mark.parametrize(
        ("reshape", "shape"),
        [
            ("2 3", (2, 3)),
            ("2   3", (2, 3)),
            (" 6 ", (6,)),
            ("-1", (6,)),
            ("2 -1", (2, 3)),
            ("1 6 1", (1, 6, 1)),
            (None, (6,)),
        ],
    )
    def test_forms(self, reshape, shape):
        """Every form of the contract, section 6.1."""
        batch = decode([bytes(24)], data_reshape=reshape)

        assert shape == batch.element_spec.features.shape

    def test_empty_is_a_scalar(self):
        """An empty label reshape gives labels (batch,); "1" gives (batch, 1)."""
        assert (2,) == decode([bytes(8)] * 2, label_reshape="").labels.shape
        assert (2, 1) == decode([bytes(8)] * 2, label_reshape="1").labels.shape

    def test_absent_is_a_flat_vector(self):
        """A message without reshapes is read as one with null reshapes."""
        decoder = RawDecoder.from_options({"data_type": "int8", "label_type": "int8"})

        batch = accepted(decoder, [(b"\x01", b"\x02\x03")])

        assert ((1, 2), (1, 1)) == (batch.features.shape, batch.labels.shape)

    def test_first_record_settles_the_open_axis(self):
        """A later batch of another width is bad, though it would fit by itself."""
        raw = decoder(data_reshape=None)
        accepted(raw, [(b"\x01", bytes(8))])

        ((index, reason),) = refused(raw, [(b"\x01", bytes(12))])

        assert 0 == index
        assert "data has 12 bytes" in reason

    @pytest.mark.parametrize("reshape", ["28,28", "0", "-2", "-1 -1", "2 x", "2.0"])
    def test_malformed(self, reshape):
        """A reshape that says no shape is refused."""
        with pytest.raises(MalformedRequest, match="data_reshape"):
            decoder(data_reshape=reshape)


class TestMisfits:
    @pytest.mark.parametrize(
        ("sizes", "bad"),
        [([8, 7], [1]), ([4, 4], [0, 1]), ([8, 8, 16], [2]), ([0], [0])],
    )
    def test_wrong_size(self, sizes, bad):
        """A record that does not fit costs itself; sizes found and wanted are named."""
        found = refused(decoder(), [(b"\x01", bytes(size)) for size in sizes])

        assert bad == [index for index, _ in found]
        for index, reason in found:
            assert f"data has {sizes[index]} bytes" in reason
            assert "8" in reason.partition("bytes")[2]

    def test_the_others_are_kept(self):
        """Good records around a bad one are decoded, in order."""
        pairs = [(b"\x01", bytes(8)), (b"\x02", b""), (b"\x03", bytes(8))]

        decoded = decoder().decode(records(pairs))

        assert [[1], [3]] == decoded.examples.labels.tolist()
        assert ["size"] == [bad.fault for bad in decoded.rejected]

    def test_no_multiple(self):
        """A flat vector must hold whole elements."""
        ((_, reason),) = refused(decoder(data_reshape=None), [(b"\x01", bytes(7))])

        assert "data has 7 bytes" in reason

    def test_null_key(self):
        """A null key is an empty one, which holds no label."""
        ((_, reason),) = refused(decoder(), [(None, bytes(8))])

        assert "label has 0 bytes" in reason

    @pytest.mark.parametrize(
        ("options", "fault"),
        [
            ({"data_type": "string"}, "data_type: 'string' is none of"),
            ({"label_type": 3}, "label_type: want text"),
            ({"data_type": None}, "data_type: want text"),
            ({"data_reshape": 28}, "data_reshape: want text"),
        ],
    )
    def test_malformed_options(self, options, fault):
        """Options that make no sense are refused by name."""
        with pytest.raises(MalformedRequest, match=fault):
            decoder(**options)

    def test_missing_options(self):
        """Both types are needed, and named together."""
        with pytest.raises(MalformedRequest, match=r"data_type: .*label_type: "):
            RawDecoder.from_options({})


class TestRoundTrip:
    @given(
        st.sampled_from(["uint8", "int16", "float32", "float64", "bool"]).flatmap(
            lambda dtype: hnp.arrays(
                dtype, hnp.array_shapes(min_dims=2, max_dims=4, max_side=4)
            )
        )
    )
    def test_any_array(self, array):
        """What NumPy writes record by record comes back as the same array."""
        batch = decode(
            [row.tobytes() for row in array],
            data_type=array.dtype.name,
            data_reshape=" ".join(map(str, array.shape[1:])),
        )

        np.testing.assert_array_equal(array, batch.features)
