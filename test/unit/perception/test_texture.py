# SPDX-License-Identifier: Apache-2.0
"""Noisy, dithered, dark, checked, striped and grained colour over perfect depth: objects stay what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from spatialpin_ros.perception import reconstruct
from spatialpin_ros.perception.footprints import fit_circle
from spatialpin_ros.perception.perceive import Perception

RED, GREEN, BLUE, YELLOW, GREY = (200, 40, 40), (40, 140, 60), (40, 70, 200), (230, 200, 40), (120, 120, 125)


def noisy(sd, scale=1.0):
    return lambda color, rng: color * scale + rng.normal(0.0, sd, color.shape)


def checked(size, amplitude):
    def change(color, rng):
        height, width = color.shape[:2]
        levels = rng.integers(-amplitude, amplitude + 1, (height // size + 1, width // size + 1, 3))
        return color + np.kron(levels, np.ones((size, size, 1)))[:height, :width]

    return change


def striped(size, amplitude):
    def change(color, rng):
        sign = 1.0 - 2.0 * (np.arange(color.shape[1]) // size % 2)
        return color + amplitude * sign[:, None] * np.array([1.0, -0.6, 0.4])

    return change


def grained(color, rng):
    row, column = np.indices(color.shape[:2])
    grain = 18.0 * np.sin(0.35 * column + 3.0 * np.sin(0.03 * row)) + rng.normal(0.0, 5.0, row.shape)
    return color + grain[..., None] * np.array([1.0, 0.7, 0.3])


def dithered(color, rng):
    image = Image.fromarray(color).convert("P", palette=Image.Palette.WEB, dither=Image.Dither.FLOYDSTEINBERG)
    return np.asarray(image.convert("RGB"))


LOOKS = {
    "noise 15": noisy(15.0),
    "noise 30": noisy(30.0),
    "half as bright": noisy(8.0, 0.5),
    "a quarter as bright": noisy(8.0, 0.25),
    "checks of 6": checked(6, 20),
    "stripes of 4": striped(4, 25),
    "grain": grained,
    "dither": dithered,
}


def painted(frame, look, seed=0):
    color = LOOKS[look](frame.color, np.random.default_rng(seed))
    return replace(frame, color=np.clip(color, 0, 255).astype(np.uint8))


def scene_bodies(bodies, which):
    """Single things; two that touch, flush in front and on top; a stack of two of one size."""
    box, cylinder, ball = bodies["box"], bodies["cylinder"], bodies["ball"]
    if which == "apart":
        return [
            box(0.45, -0.25, (0.05, 0.05, 0.05), RED, 0.3),
            box(0.6, -0.1, (0.09, 0.05, 0.04), BLUE, -0.5),
            cylinder(0.45, 0.05, 0.05, 0.08, GREEN),
            ball(0.55, 0.2, 0.06, YELLOW),
            box(0.4, 0.28, (0.06, 0.04, 0.07), GREY, 0.8),
        ]
    if which == "touching":
        return [box(0.5, 0.0, (0.05, 0.05, 0.05), RED), box(0.5, 0.05, (0.05, 0.05, 0.05), BLUE)]
    return [
        box(0.5, 0.0, (0.05, 0.05, 0.05), YELLOW, 0.4),
        box(0.5, 0.0, (0.05, 0.05, 0.05), BLUE, 0.4, 0.05),
    ]


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("which", ["apart", "touching", "stacked"])
def test_every_body_is_one_object(bodies, cast, options, look, which):
    truth = scene_bodies(bodies, which)
    scene = reconstruct(painted(cast(truth), look), options)
    centres = np.array([item.centre for item in scene.objects])
    assert len(centres) == len(truth)
    for body in truth:
        assert np.linalg.norm(centres - body.pose.position, axis=1).min() < 0.01


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_a_label_is_a_part_of_what_it_is_on(bodies, cast, options, share):
    eye = (0.5, 0.0, 0.9)
    frame = cast([bodies["box"](0.5, 0.0, (0.08, 0.08, 0.06), GREY)], eye=eye, target=(0.501, 0.0, 0.0))
    rows, columns = np.nonzero((frame.depth_m > 0) & (frame.depth_m < 0.85))
    color = frame.color.copy()
    middle, half = (rows.min() + rows.max()) // 2, int(0.5 * share * np.ptp(rows))
    across = (columns.min() + columns.max()) // 2
    color[middle - half : middle + half, across - half : across + half] = RED
    (item,) = reconstruct(replace(frame, color=color), options).objects
    np.testing.assert_allclose(np.sort(item.size), [0.06, 0.08, 0.08], atol=0.004)


@pytest.mark.parametrize("yaw", [0.0, 0.8, 1.6, 2.8])
def test_what_little_is_seen_between_two_others_is_an_object(bodies, cast, options, yaw):
    """The middle one of a stack, most of whose outline is on its neighbours, is no print on one of them."""
    truth = [
        bodies["box"](0.439, 0.145, (0.106, 0.069, 0.055), (230, 110, 160), yaw),
        bodies["cylinder"](0.446, 0.155, 0.039, 0.041, GREEN, 0.055),
        bodies["cylinder"](0.446, 0.154, 0.033, 0.07, (230, 120, 20), 0.096),
    ]
    frame = cast(truth, eye=(0.91, 0.149, 0.961), target=(0.523, 0.04, 0.106))
    assert len(reconstruct(frame, options).objects) == 3


@pytest.mark.parametrize("look", ["noise 15", "checks of 6"])
def test_nothing_is_left_unsaid(bodies, cast, options, look):
    """What could not be made an object is an obstacle, and the notes tell of it; otherwise they are silent."""
    perception = Perception(workspace=options.workspace)
    seen = perception.measured(painted(cast(scene_bodies(bodies, "apart"), noise_m=0.001), look))
    assert not seen.notes
    outside = bodies["box"](0.85, 0.1, (0.08, 0.08, 0.08), RED)
    seen = perception.measured(painted(cast([outside]), look))
    assert not seen.scene.objects
    assert len(seen.notes) == 1
    near = np.linalg.norm(seen.scene.unexplained[:, :2] - outside.pose.position[:2], axis=1) < 0.08
    assert np.count_nonzero(near) > 100


def test_points_on_a_line_are_no_circle():
    line = np.column_stack([np.zeros(12), np.linspace(0.3, 0.35, 12)])
    for points in (line, np.repeat(line[:1], 12, axis=0), np.repeat(line[:2], 6, axis=0)):
        circle = fit_circle(points, np.ones(12), points)
        assert np.isfinite(circle.centre).all()
