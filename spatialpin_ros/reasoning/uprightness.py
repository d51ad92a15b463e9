# SPDX-License-Identifier: Apache-2.0
"""Hears in a request that what is carried must not be tilted: 'keep it upright', 'without spilling', 'a full cup'."""

from __future__ import annotations

import re

_THING = r"(?:it|them|this|that|everything|anything|(?:the|a|my|its) [\w ]{1,30}?)"
_PHRASES = re.compile(
    r",?\s*\b(?:(?:and|but|while|always|please|must|should)\s+)*"
    rf"(?:(?:keep|keeping|hold|holding|carry|carrying)\s+{_THING}\s+(?:upright|level|vertical|straight up)"
    rf"|without\s+(?:tilting|tipping|spilling)(?:\s+{_THING})?"
    rf"|(?:do not|don't|don\u2019t|never|not)\s+(?:tilt|tip|spill)(?:\s+{_THING})?"
    r"|upright)(?=\s*(?:[,.;!]|$|\b(?:and|then|to|on|onto|next|while)\b))",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"\bfull(?=\s+(?:[\w-]+\s+){0,2}(?:cup|mug|glass|bottle|bowl|can|jar|beaker|pot)\b)", re.IGNORECASE
)


def without_upright(request: str) -> tuple[str, bool]:
    """Take the words that forbid tilting out of a request; tell whether there were any."""
    rest = _PHRASES.sub(" ", request)
    rest = _FULL.sub(" ", rest)
    heard = rest != request
    return (re.sub(r"\s+", " ", rest).strip() if heard else request), heard
