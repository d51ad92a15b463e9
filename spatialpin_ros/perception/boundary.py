# SPDX-License-Identifier: Apache-2.0
"""The boundary to modules: whatever a network or somebody's own module raises becomes one kind of error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from spatialpin_ros.errors import BackendError, SpatialPinError

_FAILURES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)


@contextmanager
def module_boundary(role: str) -> Iterator[None]:
    """Turn the failures of a module into BackendErrors that name its role; the package's own errors pass."""
    try:
        yield
    except SpatialPinError:
        raise
    except _FAILURES as error:
        reason = next(iter(str(error).strip().splitlines()), "")
        raise BackendError(f"{role}: failed with {type(error).__name__}: {reason:.200}") from error
