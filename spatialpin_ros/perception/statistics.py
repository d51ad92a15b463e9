# SPDX-License-Identifier: Apache-2.0
"""Order statistics of short arrays, without the checks that make NumPy's own slow on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def median(values: npt.NDArray[Any]) -> float:
    """Median of (N,) values without NaN, N >= 1; the upper one of two middle values."""
    middle = len(values) // 2
    return float(np.partition(values, middle)[middle])


def quantile(values: npt.NDArray[Any], share: float) -> float:
    """The value of (N,) values without NaN, N >= 1, below which `share` of them lie; no interpolation."""
    rank = round(share * (len(values) - 1))
    return float(np.partition(values, rank)[rank])
