# SPDX-License-Identifier: Apache-2.0
"""Validated read-only arrays and their lossless JSON form."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spatialpin_ros.errors import InvalidValueError

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]
UInt8Array = npt.NDArray[np.uint8]
Int32Array = npt.NDArray[np.int32]
BoolArray = npt.NDArray[np.bool_]


def read_only(
    value: npt.ArrayLike,
    name: str,
    shape: tuple[int | None, ...],
    dtype: npt.DTypeLike = np.float64,
    *,
    finite: bool = True,
) -> npt.NDArray[Any]:
    """Return `value` as a read-only array of the given shape (None: any length) and dtype.

    The array is not copied when it already has the dtype: a view with the write flag off is returned.

    Raises:
        InvalidValueError: on a wrong shape, or when `finite` and a value is NaN or infinite.
    """
    try:
        array = np.asarray(value, dtype=dtype).view()
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"{name}: expected numbers of shape {shape}, got {value!r:.80}") from error
    matches = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=False)
    )
    if not matches:
        raise InvalidValueError(f"{name}: expected shape {shape}, got {array.shape}")
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InvalidValueError(f"{name}: holds NaN or infinite values")
    array.flags.writeable = False
    return array


def array_to_json(array: npt.NDArray[Any]) -> dict[str, Any]:
    """Encode an array losslessly as {dtype, shape, zlib_base64}."""
    data = np.ascontiguousarray(array)
    packed = base64.b64encode(zlib.compress(data.tobytes(), 1)).decode("ascii")
    return {"dtype": data.dtype.str, "shape": list(data.shape), "zlib_base64": packed}


def array_from_json(document: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Decode what `array_to_json` wrote.

    Raises:
        InvalidValueError: when fields are missing or the data does not fit the shape.
    """
    try:
        raw = zlib.decompress(base64.b64decode(document["zlib_base64"]))
        return np.frombuffer(raw, dtype=np.dtype(document["dtype"])).reshape(document["shape"])
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        raise InvalidValueError(f"not an encoded array: {error}") from error
