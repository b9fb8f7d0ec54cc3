"""JSON numbers against Python's own json and NumPy."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.json import JsonDecoder
from domain.batches import Decoded
from domain.errors import MalformedRequest
from tests.builders import records


def decode(
    values: Sequence[bytes], keys: Sequence[bytes] | None = None, **options: object
) -> Decoded:
    pairs = zip(keys or [b"1"] * len(values), values, strict=True)
    return JsonDecoder.from_options(options).decode(records(list(pairs)))


def reasons(decoded: Decoded) -> list[tuple[str, str]]:
    return [(bad.fault, bad.reason) for bad in decoded.rejected]


class TestShapes:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (b"7", 7.0),
            (b"[1, 2.5, -3e2]", [1.0, 2.5, -300.0]),
            (b"[[1, 2], [3, 4], [5, 6]]", [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
            (b'{"b": 1, "a": 2}', [1.0, 2.0]),
            (b"[true, false]", [1.0, 0.0]),
            (b" \n7\t", 7.0),
        ],
    )
    def test_first_record_settles_it(self, value: bytes, expected: object):
        """The shape is that of the record, the type float32."""
        features = decode([value, value]).examples.features

        assert [expected] * 2 == features.tolist()
        assert np.float32 == features.dtype

    def test_stated_shape(self):
        """A stated shape is that of RAW: numbers in a row, one of them open."""
        features = decode([b"[1, 2, 3, 4, 5, 6]"], data_reshape="2 -1")

        assert (1, 2, 3) == features.examples.features.shape

    def test_other_shape_is_bad(self):
        """What the first good record settled holds for all."""
        decoded = decode([b"null", b"[1, 2]", b"[1, 2, 3]", b"[[1], [2]]", b"[1, [2]]"])

        assert [[1, 2]] == decoded.examples.features.tolist()
        assert [0, 2, 3, 4] == [bad.index for bad in decoded.rejected]
        assert ("size", "data is of shape (3,), wanted (2,)") in reasons(decoded)


class TestFields:
    def test_stated_order(self):
        """Members come in the order that is stated, not as they are written."""
        decoded = decode(
            [b'{"a": 1, "b": 2}', b'{"b": 4, "a": 3}'], data_fields=["b", "a"]
        )

        assert [[2, 1], [4, 3]] == decoded.examples.features.tolist()

    def test_order_of_the_first(self):
        """Without a statement, the first good record's order holds for all."""
        decoded = decode([b"{}", b'{"z": 1, "a": 2}', b'{"a": 4, "z": 3}'])

        assert [[1, 2], [3, 4]] == decoded.examples.features.tolist()

    def test_order_is_kept(self):
        """It holds for later batches, too."""
        decoder = JsonDecoder.from_options({})
        decoder.decode(records([(b"1", b'{"z": 1, "a": 2}')]))

        later = decoder.decode(records([(b"1", b'{"a": 4, "z": 3}')]))

        assert [[3, 4]] == later.examples.features.tolist()

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (b'{"a": 1}', "an object without 'b'"),
            (b'{"a": 1, "b": 2, "c": 3}', "an object of 1 members too many"),
            (b'{"a": 1, "b": null}', "not of numbers alone"),
            (b'{"a": 1, "b": [2]}', "an object of more than numbers"),
            (b"[1, 2]", "no object"),
            (b'{"a": 1, "a": 1, "b": 2}', "a name that stands twice"),
        ],
    )
    def test_other_members(self, value: bytes, reason: str):
        """An object with other members is bad, and the reason says how."""
        decoded = decode([value, b'{"a": 1, "b": 2}'], data_fields=["a", "b"])

        assert [[1, 2]] == decoded.examples.features.tolist()
        ((_, said),) = reasons(decoded)
        assert reason in said

    def test_labels(self):
        """Keys are read in the same way."""
        decoded = decode([b"1"], [b'{"y": 1, "x": 2}'], label_fields=["x", "y"])

        assert [[2, 1]] == decoded.examples.labels.tolist()


class TestTypes:
    @pytest.mark.parametrize(
        ("label", "dtype"),
        [(b"3", np.int64), (b"0.5", np.float32), (b"true", np.int64)],
    )
    def test_labels(self, label: bytes, dtype: type):
        """Whole numbers are classes, others are values."""
        assert dtype == decode([b"1"], [label]).examples.labels.dtype

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("uint8", b"256"),
            ("uint8", b"-1"),
            ("int8", b"1.5"),
            ("int64", b"9223372036854775808"),
            ("float16", b"65536"),
            ("float32", b"1e39"),
            ("float64", b"1e999"),
            ("bool", b"2"),
            ("int64", b"1" * 5000),
            ("float32", b"1" * 5000),
        ],
    )
    def test_not_held(self, name: str, value: bytes):
        """A number that the type does not hold is a bad record, not another number."""
        decoded = decode([b"1", value, b"0"], data_type=name)

        assert [1, 0] == decoded.examples.features.tolist()
        assert ["value"] == [fault for fault, _ in reasons(decoded)]

    @pytest.mark.parametrize("big", [2**53 + 1, 2**63 - 1, -(2**63)])
    def test_large_whole_numbers(self, big: int):
        """Integers keep every digit, whatever stands beside them."""
        decoded = decode([b"%d" % big, b"0"], data_type="int64")

        assert [big, 0] == decoded.examples.features.tolist()


class TestNoJson:
    @pytest.mark.parametrize(
        ("value", "fault"),
        [
            (b"", "truncated"),
            (b"[1, 2", "truncated"),
            (b"[1, 2] 3", "trailing"),
            (b"[1, NaN]", "value"),
            (b"[1, Infinity]", "value"),
            (b"[1, two]", "value"),
            (b'["1", "2"]', "value"),
            (b"\xff\xfe", "value"),
            (b"\xef\xbb\xbf[1, 2]", "value"),
            (b"[" * 100_000 + b"]" * 100_000, "value"),
            (b"[]", "size"),
        ],
    )
    def test_fault(self, value: bytes, fault: str):
        """Each is one bad record, named by its kind; its content is not told."""
        decoded = decode([b"[1, 2]", value, b"[3, 4]"])

        assert [[1, 2], [3, 4]] == decoded.examples.features.tolist()
        ((found, reason),) = reasons(decoded)
        assert fault == found
        assert "two" not in reason


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "fault"),
        [
            ({"data_field": ["a"]}, "input_config.data_field: not an option"),
            ({"data_fields": "a b"}, "input_config.data_fields: want a list"),
            ({"data_fields": ["a", "a"]}, "input_config.data_fields: want names"),
            ({"data_fields": []}, "input_config.data_fields: want names"),
            ({"data_fields": [1]}, "input_config"),
            ({"data_type": "text"}, "input_config.data_type"),
            ({"label_reshape": "-1 -1"}, "input_config.label_reshape"),
        ],
    )
    def test_refused(self, options: dict[str, object], fault: str):
        """An option that makes no sense is named."""
        with pytest.raises(MalformedRequest, match=fault):
            JsonDecoder.from_options(options)


numbers = st.integers(-(2**53), 2**53) | st.floats(
    allow_nan=False, allow_infinity=False
)


@st.composite
def streams(draw):
    """Return arrays of one shape, as nested lists."""
    shape = draw(st.lists(st.integers(1, 3), max_size=3))
    size = math.prod(shape)
    rows = draw(
        st.lists(
            st.lists(numbers, min_size=size, max_size=size), min_size=1, max_size=9
        )
    )
    return [np.array(row, object).reshape(shape).tolist() for row in rows]


class TestRoundTrip:
    @settings(max_examples=200, deadline=None)
    @given(streams(), st.booleans())
    def test_any_numbers(self, rows: list[object], spaces: bool):
        """What Python writes comes back as NumPy has it."""
        separators = (", ", ": ") if spaces else (",", ":")
        texts = [json.dumps(row, separators=separators).encode() for row in rows]

        decoded = decode(texts, data_type="float64")

        assert () == decoded.rejected
        np.testing.assert_array_equal(
            np.array(rows, np.float64), decoded.examples.features, strict=True
        )
