# SPDX-License-Identifier: Apache-2.0
"""Tells a PNG or JPEG file that was cut short or damaged, for which a decoder makes up what is missing."""

from __future__ import annotations

import zlib

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_PADDING, _EOI = 0xFF, 0xD9
# What is followed by no length: a zero stuffed into compressed data, temporary, restarts, start of image.
_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})


def damage(data: bytes) -> str:
    """What is wrong with an image file; empty for a whole one and for other formats."""
    if data.startswith(_PNG):
        return _png_damage(data)
    if data.startswith(_JPEG) and not _jpeg_ends(data):
        return f"it ends after {len(data)} bytes, in the middle of the image"
    return ""


def _png_damage(data: bytes) -> str:
    """Walk the chunks up to IEND (PNG specification, section 5.3)."""
    at = len(_PNG)
    while at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            break
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return f"the checksum of its part at byte {at} is wrong"
        if data[at + 4 : at + 8] == b"IEND":
            return ""
        at = end
    return f"it ends after {len(data)} bytes, in the middle of the image"


def _jpeg_ends(data: bytes) -> bool:
    """Walk the segments up to the end-of-image marker (ITU-T T.81, annex B); what follows it is not looked at."""
    at = len(_JPEG)
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        marker = data[at + 1]
        if marker == _EOI:
            return True
        if marker == _PADDING:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return False
