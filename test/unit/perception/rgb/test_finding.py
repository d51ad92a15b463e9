# SPDX-License-Identifier: Apache-2.0
"""Detections into objects, and the second look."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.perception.inpainting import OpenCvInpainter, dilated
from spatialpin_ros.perception.learned import Detection
from spatialpin_ros.perception.rgb.finding import choose_detections, find_objects

RED, BLUE = (200, 30, 30), (30, 60, 200)


def detection(name, left, top, right, bottom, score):
    return Detection(name, np.array([left, top, right, bottom], dtype=float), score)


def test_one_box_is_one_object_and_names_keep_their_order():
    found = [
        detection("blue ball", 0, 0, 10, 10, 0.5),
        detection("red cube", 1, 0, 10, 10, 0.8),
        detection("blue ball", 50, 50, 60, 60, 0.4),
        detection("red cube", 80, 80, 90, 90, 0.3),
    ]
    chosen = choose_detections(found, ["Blue ball", "red cube"], per_name=1)
    assert [(item.name, item.score) for item in chosen] == [("blue ball", 0.4), ("red cube", 0.8)]
    assert len(choose_detections(found, ["Blue ball", "red cube"], per_name=2)) == 3


def test_the_second_look_completes_what_another_object_hides(know, bodies):
    known = know(
        {
            "front": bodies["box"](0.60, 0.0, (0.03, 0.06, 0.06), RED),
            "behind": bodies["box"](0.53, 0.02, (0.05, 0.05, 0.05), BLUE),
            "apart": bodies["box"](0.5, -0.25, (0.05, 0.05, 0.05), BLUE),
        }
    )
    hidden = known.whole["behind"] & ~known.visible["behind"]
    assert hidden.sum() > 200
    found = find_objects(
        known.frame.color,
        list(known.visible),
        known.modules.detector,
        known.modules.segmenter,
        OpenCvInpainter(),
    )
    by_name = {item.name: item for item in found}
    np.testing.assert_array_equal(by_name["behind"].whole, known.whole["behind"])
    np.testing.assert_array_equal(by_name["behind"].visible, known.visible["behind"])
    np.testing.assert_array_equal(by_name["front"].whole, known.whole["front"])
    # One look at the image, then one at each of the two that touch, in one batch.
    assert known.segmenter.calls == [1, 2]


def test_names_keep_the_callers_spelling(know, bodies):
    known = know({"Toy Brick": bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)})
    found = find_objects(known.frame.color, [" Toy Brick "], KnownLower(known), known.modules.segmenter, None)
    assert [item.name for item in found] == ["Toy Brick"]


class KnownLower:
    """A detector that answers in lower case, as GroundingDINO's does."""

    name = "lower"

    def __init__(self, known):
        self.known = known

    def detect(self, images, names):
        (found,) = self.known.modules.detector.detect(images, ["toy brick"])
        return [tuple(detection(item.name.lower(), *item.box, item.score) for item in found)]


def test_a_second_mask_of_something_else_is_ignored(know, bodies):
    known = know(
        {
            "front": bodies["box"](0.60, 0.0, (0.03, 0.06, 0.06), RED),
            "behind": bodies["box"](0.53, 0.02, (0.05, 0.05, 0.05), BLUE),
        }
    )
    known.segmenter.whole = [np.zeros((480, 640), dtype=bool)] * 2
    found = find_objects(
        known.frame.color,
        list(known.visible),
        known.modules.detector,
        known.modules.segmenter,
        OpenCvInpainter(),
    )
    for item in found:
        np.testing.assert_array_equal(item.whole, item.visible)


def test_overlapping_masks_share_no_pixel(know, bodies):
    known = know(
        {
            "red": bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED),
            "blue": bodies["ball"](0.5, 0.2, 0.05, BLUE),
        }
    )
    known.segmenter.visible[0] = dilated(known.visible["blue"], 3) | known.visible["red"]
    found = find_objects(
        known.frame.color, ["red", "blue"], known.modules.detector, known.modules.segmenter, None
    )
    assert not (found[0].visible & found[1].visible).any()
    np.testing.assert_array_equal(found[1].visible, known.visible["blue"])


def test_two_names_with_one_mask_are_one_object(know, bodies):
    known = know(
        {
            "red": bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED),
            "blue": bodies["ball"](0.5, 0.2, 0.05, BLUE),
        }
    )
    known.segmenter.visible[1] = known.visible["red"]
    found = find_objects(
        known.frame.color, ["red", "blue"], known.modules.detector, known.modules.segmenter, None
    )
    assert len(found) == 1


def test_nothing_found_is_nothing(know, bodies):
    known = know({"red": bodies["box"](0.5, 0.0, (0.06, 0.06, 0.06), RED)})
    assert (
        find_objects(known.frame.color, ["mug"], known.modules.detector, known.modules.segmenter, None) == ()
    )


def test_inpainting_fills_with_what_is_around():
    image = np.full((40, 60, 3), 120, dtype=np.uint8)
    image[15:25, 20:30] = (255, 0, 0)
    mask = np.zeros((40, 60), dtype=bool)
    mask[14:26, 19:31] = True
    filled = OpenCvInpainter().inpaint(image, mask)
    np.testing.assert_allclose(filled.astype(int), 120, atol=2)
    assert OpenCvInpainter().inpaint(image, np.zeros_like(mask)) is image
    with pytest.raises(InvalidValueError, match="mask has size"):
        OpenCvInpainter().inpaint(image, mask[:10])
    with pytest.raises(InvalidValueError, match="radius"):
        OpenCvInpainter(0.0)
