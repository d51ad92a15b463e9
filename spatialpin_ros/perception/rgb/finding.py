# SPDX-License-Identifier: Apache-2.0
"""Objects by name in one image: detection and segmentation, and a second look without what stands before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray, UInt8Array
from spatialpin_ros.perception.inpainting import Inpainter, dilated
from spatialpin_ros.perception.learned.protocols import Detection, Detector, Prompt, Segmenter

_SAME_OVERLAP = 0.6
_SAME_MASK = 0.8
_SECOND_OVERLAP = 0.5
_LEAST_SHARE = 0.08
_NEIGHBOUR_PX = 6


@dataclass(frozen=True, slots=True, eq=False)
class FoundObject:
    """One object of the image.

    Args:
        name: that it was looked for by.
        box: (4,) left, top, right, bottom [px].
        visible: (H, W) pixels that show it.
        whole: (H, W) its silhouette as if nothing stood before it; contains `visible`.
        score: 0..1 of detection and segmentation together.
        share: of its silhouette that is visible, as far as the second look told, 0..1.
    """

    name: str
    box: FloatArray
    visible: BoolArray
    whole: BoolArray
    score: float
    share: float = 1.0


def find_objects(
    image: UInt8Array,
    names: Sequence[str],
    detector: Detector,
    segmenter: Segmenter,
    inpainter: Inpainter | None,
    *,
    per_name: int = 1,
    dilation_px: int = 5,
) -> tuple[FoundObject, ...]:
    """Find objects by name, in two passes.

    Args:
        image: (H, W, 3) uint8 RGB.
        names: what to look for, in any order.
        detector, segmenter: the modules.
        inpainter: paints over the other objects for the second pass; None: one pass.
        per_name: most objects that one name may stand for.
        dilation_px: how much farther than its mask an object is painted over.

    Returns:
        Objects in the order of their names, spelled as given; names that were not found are absent.
    """
    chosen = choose_detections(detector.detect([image], names)[0], names, per_name)
    if not chosen:
        return ()
    boxes = np.stack([item.box for item in chosen])
    first = segmenter.segment([image], [Prompt(boxes=boxes)])[0]
    found = [
        FoundObject(_spelled(item.name, names), item.box, mask, mask, float(item.score * score))
        for item, mask, score in zip(chosen, first.masks, first.scores, strict=True)
        if mask.any()
    ]
    found = _exclusive(_distinct(found))
    return tuple(
        found if inpainter is None else _second_pass(image, found, segmenter, inpainter, dilation_px)
    )


def choose_detections(
    detections: Sequence[Detection], names: Sequence[str], per_name: int
) -> list[Detection]:
    """The best `per_name` boxes of each name; a box that another name claims with a higher score is passed over."""
    kept: list[Detection] = []
    counts: dict[str, int] = {}
    for item in sorted(detections, key=lambda detection: -detection.score):
        if counts.get(item.name, 0) >= per_name:
            continue
        if any(_overlap(item.box, other.box) > _SAME_OVERLAP for other in kept):
            continue
        counts[item.name] = counts.get(item.name, 0) + 1
        kept.append(item)
    order = {name.casefold().strip(" ."): rank for rank, name in enumerate(names)}
    return sorted(kept, key=lambda item: (order.get(item.name.casefold(), len(order)), -item.score))


def _spelled(name: str, names: Sequence[str]) -> str:
    """The caller's spelling of a name that a detector has put into lower case."""
    key = name.casefold().strip(" .")
    return next((given.strip() for given in names if given.casefold().strip(" .") == key), name)


def _overlap(a: FloatArray, b: FloatArray) -> float:
    """Intersection over union of two boxes."""
    width, height = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = max(0.0, float(width)) * max(0.0, float(height))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (a, b)]
    return shared / max(sum(areas) - shared, 1e-9)


def _distinct(found: Sequence[FoundObject]) -> list[FoundObject]:
    """Of objects with about the same mask, the one with the highest score."""
    kept: list[FoundObject] = []
    for item in sorted(found, key=lambda one: -one.score):
        area = int(item.visible.sum())
        shared = [int(np.count_nonzero(item.visible & other.visible)) for other in kept]
        unions = [area + int(other.visible.sum()) - both for other, both in zip(kept, shared, strict=True)]
        if not any(both > _SAME_MASK * union for both, union in zip(shared, unions, strict=True)):
            kept.append(item)
    return [item for item in found if any(item is one for one in kept)]


def _exclusive(found: Sequence[FoundObject]) -> list[FoundObject]:
    """Where masks overlap, the pixel belongs to the smaller one: what stands before or upon the other."""
    areas = [int(item.visible.sum()) for item in found]
    result = []
    for index, item in enumerate(found):
        mine = item.visible.copy()
        for other, area in zip(found, areas, strict=True):
            if other is not item and area < areas[index]:
                mine &= ~other.visible
        if mine.any():
            result.append(replace(item, visible=mine, whole=mine))
    return result


def _second_pass(
    image: UInt8Array,
    found: Sequence[FoundObject],
    segmenter: Segmenter,
    inpainter: Inpainter,
    dilation_px: int,
) -> list[FoundObject]:
    """Segment each object that touches another one again, with the others painted over."""
    grown = [dilated(item.visible, dilation_px) for item in found]
    again = [
        index
        for index, item in enumerate(found)
        if any(
            (dilated(item.visible, _NEIGHBOUR_PX) & other.visible).any()
            for other in found
            if other is not item
        )
    ]
    if not again:
        return list(found)
    images, prompts = [], []
    for index in again:
        others = np.any([mask for k, mask in enumerate(grown) if k != index], axis=0)
        images.append(inpainter.inpaint(image, others & ~found[index].visible))
        prompts.append(Prompt(boxes=_grown_box(found[index], others)[None]))
    result = list(found)
    for index, segmentation in zip(again, segmenter.segment(images, prompts), strict=True):
        others = np.any([item.visible for k, item in enumerate(found) if k != index], axis=0)
        result[index] = _completed(found[index], segmentation.masks[0], others)
    return result


def _grown_box(item: FoundObject, others: BoolArray) -> FloatArray:
    """The object's box, grown by a third on each side, as far as other objects may hide it."""
    left, top, right, bottom = item.box
    width, height = right - left, bottom - top
    rows, columns = np.nonzero(
        others
        & _inside(
            others.shape,
            np.array([left - width / 3, top - height / 3, right + width / 3, bottom + height / 3]),
        )
    )
    if not len(rows):
        return item.box
    return np.array(
        [
            min(left, float(columns.min())),
            min(top, float(rows.min())),
            max(right, float(columns.max()) + 1),
            max(bottom, float(rows.max()) + 1),
        ]
    )


def _inside(shape: tuple[int, ...], box: FloatArray) -> BoolArray:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((columns >= box[0]) & (columns < box[2]) & (rows >= box[1]) & (rows < box[3]))


def _completed(item: FoundObject, second: BoolArray, others: BoolArray) -> FoundObject:
    """Take the second mask where it only adds what other objects hide; a mask of something else is ignored."""
    seen = int(item.visible.sum())
    shared = int(np.count_nonzero(item.visible & second))
    if shared < _SECOND_OVERLAP * seen:
        return item
    whole = item.visible | (second & others)
    share = seen / int(whole.sum())
    # From a sliver the rest is guessed: its size is not believed, but that it is a sliver is.
    return replace(item, whole=whole if share > _LEAST_SHARE else item.visible, share=share)
