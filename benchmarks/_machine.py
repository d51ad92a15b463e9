# SPDX-License-Identifier: Apache-2.0
"""What every benchmark states: the machine, the spread, and a file with all of it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from spatialpin_ros.commands.outputs import write_bytes
from spatialpin_ros.report.machine import describe_machine


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, 10th and 90th percentile, least and most, and the number of values."""
    if not len(values):
        return {"count": 0}
    low, middle, high = np.percentile(values, (10, 50, 90))
    edges = {"min": float(np.min(values)), "max": float(np.max(values))}
    return {"count": len(values), "median": float(middle), "p10": float(low), "p90": float(high), **edges}


def in_words(values: Sequence[float], unit: str = "ms", factor: float = 1000.0) -> str:
    """One readable line of `spread`."""
    figures = spread(values)
    if not figures["count"]:
        return "no values"
    middle, low, high = (figures[name] * factor for name in ("median", "p10", "p90"))
    return (
        f"median {middle:.4g} {unit}, 10th to 90th percentile {low:.4g} to {high:.4g}, n = {figures['count']}"
    )


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """95% interval of a proportion (Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    if trials == 0:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return (centre - half) / scale, (centre + half) / scale


def machine_line() -> str:
    """The machine in one line."""
    return ", ".join(f"{key} {value}" for key, value in describe_machine().items())


def write_result(path: Path | None, name: str, result: dict[str, Any]) -> None:
    """Write a benchmark's result with date and machine as JSON; nothing when there is no path."""
    if path is None:
        return
    date = datetime.now().astimezone().isoformat(timespec="seconds")
    document = {"benchmark": name, "date": date, "machine": describe_machine(), **result}
    write_bytes(path, (json.dumps(document, indent=1) + "\n").encode())
    print(f"written to {path}")
