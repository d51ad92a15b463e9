# SPDX-License-Identifier: Apache-2.0
"""Robust least squares of a few parameters, with all of a numeric Jacobian's columns computed at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spatialpin_ros.arrays import FloatArray

_STEP = 1e-6
_MOST_STEPS = 25
_FIRST_DAMPING, _EASE, _TIGHTEN, _MOST_DAMPING = 1e-3, 0.2, 6.0, 1e6
# A further step would gain less than what noise takes.
_GAIN = 2e-3


def minimise(residuals: Callable[[FloatArray], FloatArray], start: FloatArray, scale: float) -> FloatArray:
    """Return the (P,) parameters with the least sum of soft-L1 losses; Levenberg's and Marquardt's damped steps.

    Args:
        residuals: turns (B, P) sets of parameters into (B, N) residuals.
        start: (P,) first parameters.
        scale: residual above which the loss grows linearly.
    """
    best = np.asarray(start, dtype=np.float64)
    value, jacobian = _linearised(residuals, best)
    cost, damping = _loss(value, scale), _FIRST_DAMPING
    for _ in range(_MOST_STEPS):
        weighted = jacobian * (1.0 / np.sqrt(1.0 + (value / scale) ** 2))[:, None]
        square, slope = weighted.T @ jacobian, weighted.T @ value
        diagonal = np.diag(square)
        step = np.linalg.solve(square + np.diag(damping * diagonal + 1e-12 * (1.0 + diagonal)), -slope)
        tried = _loss(residuals(best[None] + step[None])[0], scale)
        if tried >= cost:
            damping *= _TIGHTEN
            if damping > _MOST_DAMPING:
                break
            continue
        best, gain = best + step, (cost - tried) / max(cost, 1e-15)
        cost, damping = tried, damping * _EASE
        if gain < _GAIN:
            break
        value, jacobian = _linearised(residuals, best)
    return best


def _linearised(
    residuals: Callable[[FloatArray], FloatArray], at: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """(N,) residuals and their (N, P) forward differences."""
    rows = residuals(np.vstack([at, at + _STEP * np.eye(len(at))]))
    return rows[0], (rows[1:] - rows[0]).T / _STEP


def _loss(value: FloatArray, scale: float) -> float:
    return float((np.sqrt(1.0 + (value / scale) ** 2) - 1.0).sum())
