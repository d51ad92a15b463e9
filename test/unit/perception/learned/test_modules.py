# SPDX-License-Identifier: Apache-2.0
"""Every adapter, through from_pretrained, on tiny models with random weights."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import BackendError, InvalidValueError
from spatialpin_ros.perception.learned import Prompt, create_module
from spatialpin_ros.perception.learned.detection import GroundingDinoDetector, _chosen, _corners

BOXES = np.array([[5.0, 5.0, 50.0, 50.0], [20.0, 20.0, 58.0, 70.0]])

pytestmark = pytest.mark.usefixtures("networks")


@pytest.mark.parametrize("kind", ["grounding_dino", "owlv2"])
def test_detectors_answer_with_the_names_asked_for_and_boxes_inside_each_image(tiny_model, images, kind):
    detector = create_module("detector", kind, model=tiny_model(kind), threshold=0.0)
    names = ["Red cube", "blue ball."]
    results = detector.detect(images, names)
    assert len(results) == 3
    for image, found in zip(images, results, strict=True):
        assert found
        height, width = image.shape[:2]
        for item in found:
            assert item.name in ("red cube", "blue ball")
            left, top, right, bottom = item.box
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
        assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


@pytest.mark.parametrize("kind", ["grounding_dino", "owlv2"])
def test_detections_do_not_depend_on_the_batch(tiny_model, images, kind):
    together = create_module("detector", kind, model=tiny_model(kind), threshold=0.0)
    alone = create_module("detector", kind, model=tiny_model(kind), threshold=0.0, batch_size=1)
    for many, one in zip(
        together.detect(images, ["red cube"]), alone.detect(images, ["red cube"]), strict=True
    ):
        np.testing.assert_allclose([d.score for d in many], [d.score for d in one], atol=1e-4)


@pytest.mark.parametrize("kind", ["grounding_dino", "owlv2"])
def test_a_detector_asked_for_nothing_finds_nothing(tiny_model, images, kind):
    detector = create_module("detector", kind, model=tiny_model(kind))
    assert detector.detect(images, []) == [(), (), ()]
    with pytest.raises(InvalidValueError, match="cannot look for"):
        detector.detect(images, [" . "])


def test_grounding_dino_maps_tokens_back_to_names(tiny_model):
    detector: GroundingDinoDetector = create_module(
        "detector", "grounding_dino", model=tiny_model("grounding_dino")
    )
    ids = detector._tokens(["red cube", "blue ball", "zq"])["input_ids"][0].tolist()
    # [CLS] red cube . blue ball . z ##q . [SEP]
    assert detector._spans(ids, 3) == [[1, 2], [4, 5], [7, 8]]


def test_grounding_dino_splits_a_text_that_is_too_long(tiny_model, images):
    detector = create_module("detector", "grounding_dino", model=tiny_model("grounding_dino"), threshold=0.0)
    names = [f"red cube {letter * 3}" for letter in "abcdefghij"]
    assert len(detector._parts(names)) > 1
    assert [name for part in detector._parts(names) for name in part] == names
    assert len(detector.detect(images[:1], names)[0]) == 10 * len(detector._parts(names))


def test_boxes_are_clipped_and_the_best_name_wins():
    image = np.zeros((50, 100, 3), dtype=np.uint8)
    boxes = _corners(np.array([[0.5, 0.5, 0.2, 0.4], [0.99, 0.5, 0.2, 0.2]])) * [100, 50, 100, 50]
    found = _chosen(["a", "b"], np.array([[0.2, 0.9], [0.6, 0.1]]), boxes, 0.5, image)
    assert [item.name for item in found] == ["b", "a"]
    np.testing.assert_allclose(found[0].box, [40, 15, 60, 35])
    np.testing.assert_allclose(found[1].box, [89, 20, 100, 30])


@pytest.mark.parametrize(
    ("role", "kind"), [("sam", "sam"), ("sam", "sam_hq"), ("sam2", "sam2")], ids=["sam", "sam_hq", "sam2"]
)
@pytest.mark.parametrize("by", ["boxes", "points"])
def test_segmenters_return_one_mask_for_each_prompt_in_the_size_of_each_image(
    tiny_model, images, role, kind, by
):
    segmenter = create_module("segmenter", role, model=tiny_model(kind))
    prompts = [
        Prompt(boxes=BOXES) if by == "boxes" else Prompt(points=BOXES[:, :2]),
        Prompt(boxes=BOXES[:1]) if by == "boxes" else Prompt(points=BOXES[:1, :2]),
        Prompt(boxes=BOXES) if by == "boxes" else Prompt(points=BOXES[:, :2]),
    ]
    results = segmenter.segment(images, prompts)
    for image, prompt, result in zip(images, prompts, results, strict=True):
        assert result.masks.shape == (len(prompt), *image.shape[:2])
        assert result.masks.dtype == np.bool_
        assert result.scores.shape == (len(prompt),)
        assert ((result.scores >= 0) & (result.scores <= 1)).all()


def test_a_segmenter_without_prompts_returns_no_masks(tiny_model, images):
    segmenter = create_module("segmenter", "sam", model=tiny_model("sam"))
    result = segmenter.segment(images[:1], [Prompt(boxes=np.zeros((0, 4)))])[0]
    assert result.masks.shape == (0, 96, 128)
    with pytest.raises(InvalidValueError, match="1 images but 0 prompts"):
        segmenter.segment(images[:1], [])


def test_sam2_sees_prompts_in_its_own_pixels(tiny_model):
    segmenter = create_module("segmenter", "sam2", model=tiny_model("sam2"))
    image = np.zeros((96, 128, 3), dtype=np.uint8)
    np.testing.assert_allclose(
        segmenter._scaled(image, np.array([[128.0, 96.0, 64.0, 48.0]])), [[64, 64, 32, 32]]
    )


@pytest.mark.parametrize("kind", ["depth_anything", "zoedepth", "depth_pro"])
def test_depth_has_the_size_of_each_image_and_is_positive(tiny_model, images, kind):
    estimator = create_module("depth", kind, model=tiny_model(kind))
    results = estimator.estimate(images)
    for image, result in zip(images, results, strict=True):
        assert result.depth_m.shape == image.shape[:2]
        assert result.depth_m.dtype == np.float32
        assert np.isfinite(result.depth_m).all()
        assert (result.depth_m >= 0).all()
    alone = estimator.estimate(images[1:2])[0]
    # Random weights reach far: compare where a metre means something.
    near = (alone.depth_m > 0) & (alone.depth_m < 20)
    np.testing.assert_allclose(results[1].depth_m[near], alone.depth_m[near], rtol=5e-3, atol=1e-4)


def test_depth_pro_returns_its_focal_length_and_takes_a_known_one(tiny_model, images):
    estimator = create_module("depth", "depth_pro", model=tiny_model("depth_pro"))
    own = estimator.estimate(images[:1])[0]
    assert own.focal_px == pytest.approx(0.5 * 128 / np.tan(np.deg2rad(30.0)), rel=1e-4)
    known = Intrinsics(128, 96, 2 * own.focal_px, 2 * own.focal_px, 64, 48)
    both = (own.depth_m > 0) & (own.depth_m < 90)
    doubled = estimator.estimate(images[:1], known)[0].depth_m
    np.testing.assert_allclose(doubled[both], 2 * own.depth_m[both], rtol=1e-4)


def test_relative_depth_is_refused(tiny_model):
    with pytest.raises(BackendError, match=r"relative depth.*metric checkpoint"):
        create_module("depth", "depth_anything", model=tiny_model("relative_depth"))


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_scores_are_one_row_for_each_image(tiny_model, images, kind):
    scorer = create_module("namer", "clip", model=tiny_model(kind), batch_size=2)
    scores = scorer.score(images, ["red cube", "blue ball", "mug"])
    assert scores.shape == (3, 3)
    assert ((scores >= 0) & (scores <= 1)).all()
    if kind == "clip":
        np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    assert scorer.score([], ["red cube"]).shape == (0, 1)
    with pytest.raises(InvalidValueError, match="at least one text"):
        scorer.score(images, [])


def test_prompts_are_boxes_or_points():
    with pytest.raises(InvalidValueError, match="boxes or points"):
        Prompt()
    with pytest.raises(InvalidValueError, match="shape"):
        Prompt(boxes=np.zeros((2, 3)))


def test_images_must_be_rgb(tiny_model):
    estimator = create_module("depth", "depth_anything", model=tiny_model("depth_anything"))
    with pytest.raises(InvalidValueError, match="expected"):
        estimator.estimate([np.zeros((10, 10), dtype=np.uint8)])
