# SPDX-License-Identifier: Apache-2.0
"""Why a language model gave no usable reply, named."""

from __future__ import annotations

from typing import Literal

from spatialpin_ros.errors import BackendError

Kind = Literal[
    "no_key",
    "unreachable",
    "timeout",
    "rate_limited",
    "server",
    "rejected",
    "refused",
    "cut_off",
    "malformed",
    "invalid",
    "not_recorded",
]


class ModelError(BackendError):
    """No usable reply came; `kind` is a short code, the message says what to do."""

    def __init__(self, message: str, kind: Kind) -> None:
        self.kind: Kind = kind
        super().__init__(message)


class ReplyFormatError(ModelError):
    """A reply came but is not an object that fits the schema; `raw` is its text, to be shown in a repair turn."""

    def __init__(self, message: str, raw: str, kind: Kind = "invalid") -> None:
        self.raw = raw
        super().__init__(message, kind)
