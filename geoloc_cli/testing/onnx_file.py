"""A small network as the bytes of an ONNX file, written without the library of that name."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_FLOAT = 1
_OPSET, _IR = 13, 8

Field = tuple[int, "int | str | bytes"]


def one_layer(kernels: NDArray[np.float32], *, side: int | None = None, at_once: int | None = None) -> bytes:
    """A network of one convolution: pictures (n, channels, h, w) -> `map` (n, D, h', w'), `vector` (n, D) its mean.

    kernels: (D, channels, k, k) float32; the stride is k. side, at_once: the only h = w, and the only n, that it takes.
    """
    count, kernel = kernels.shape[0], kernels.shape[-1]
    weights = _message(
        *[(1, size) for size in kernels.shape], (2, _FLOAT), (8, "kernels"), (9, kernels.astype("<f4").tobytes())
    )
    steps = [
        _node(
            "Conv", ["pictures", "kernels"], "map", _ints("kernel_shape", [kernel] * 2), _ints("strides", [kernel] * 2)
        ),
        _node("GlobalAveragePool", ["map"], "pooled"),
        _node("Flatten", ["pooled"], "vector"),
    ]
    graph = _message(
        *[(1, step) for step in steps],
        (2, "graph"),
        (5, weights),
        (11, _value("pictures", [at_once or "n", kernels.shape[1], side or "h", side or "w"])),
        (12, _value("map", [at_once or "n", count, "rows", "columns"])),
        (12, _value("vector", [at_once or "n", count])),
    )
    return _message((1, _IR), (7, graph), (8, _message((2, _OPSET))))


def _node(operation: str, inputs: Sequence[str], output: str, *attributes: bytes) -> bytes:
    named: list[Field] = [(1, name) for name in inputs]
    return _message(*named, (2, output), (4, operation), *[(5, attribute) for attribute in attributes])


def _ints(name: str, values: Sequence[int]) -> bytes:
    return _message((1, name), *[(8, value) for value in values], (20, 7))


def _value(name: str, shape: Sequence[int | str]) -> bytes:
    sizes = [(1, _message((1, size) if isinstance(size, int) else (2, size))) for size in shape]
    return _message((1, name), (2, _message((1, _message((1, _FLOAT), (2, _message(*sizes)))))))


def _message(*fields: Field) -> bytes:
    """Of protocol buffers: numbers as varints, all else with its length before it."""
    parts = []
    for number, value in fields:
        if isinstance(value, int):
            parts.append(_varint(number << 3) + _varint(value))
        else:
            data = value.encode() if isinstance(value, str) else value
            parts.append(_varint(number << 3 | 2) + _varint(len(data)) + data)
    return b"".join(parts)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + struct.pack("B", value)
