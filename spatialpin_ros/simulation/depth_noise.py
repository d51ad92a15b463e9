# SPDX-License-Identifier: Apache-2.0
"""Noise of an active stereo depth camera: disparity noise and steps, smeared and lost edges, grazing surfaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

from spatialpin_ros.arrays import BoolArray, Float32Array
from spatialpin_ros.camera import Intrinsics
from spatialpin_ros.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class DepthNoise:
    """Parameters of the model; the defaults are those of an Intel RealSense D435 at 848 x 480.

    Args:
        baseline_m: distance between the stereo cameras [m].
        focal_px: focal length of the stereo cameras [px]; baseline x focal turns depth into disparity.
        disparity_sigma_px: standard deviation of the disparity on a well-textured surface [px].
        disparity_step_px: quantisation of the disparity [px] (five bits below the pixel).
        correlation_px: extent over which neighbouring noise is alike, from the matching window [px].
        shift_px: standard deviation of the lateral displacement that smears edges [px].
        edge_m: depth difference between neighbours that counts as an edge, per metre of depth [m/m].
        flying_share: share of edge pixels that lie between the two surfaces.
        edge_loss: share of edge pixels without a measurement.
        grazing_deg: angles between the view ray and the normal where loss begins and is certain [degrees].
        random_loss: share of all pixels without a measurement.
        min_range_m: nothing is measured nearer than this [m].
    """

    baseline_m: float = 0.050
    focal_px: float = 430.0
    disparity_sigma_px: float = 0.05
    disparity_step_px: float = 1.0 / 32.0
    correlation_px: float = 0.8
    shift_px: float = 0.5
    edge_m: float = 0.015
    flying_share: float = 0.10
    edge_loss: float = 0.50
    grazing_deg: tuple[float, float] = (76.0, 87.0)
    random_loss: float = 0.001
    min_range_m: float = 0.17

    def __post_init__(self) -> None:
        if min(self.baseline_m, self.focal_px, self.disparity_step_px, self.edge_m) <= 0.0:
            raise InvalidValueError(
                "depth noise: baseline, focal length, disparity step and edge must be positive"
            )
        if not all(0.0 <= share <= 1.0 for share in (self.flying_share, self.edge_loss, self.random_loss)):
            raise InvalidValueError("depth noise: shares must lie in 0..1")

    def sigma_m(self, depth_m: float) -> float:
        """Standard deviation of the depth [m] at a depth [m], without the steps."""
        return depth_m**2 * self.disparity_sigma_px / (self.baseline_m * self.focal_px)


REALSENSE_D435 = DepthNoise()


def add_depth_noise(
    depth_m: Float32Array,
    intrinsics: Intrinsics,
    rng: np.random.Generator,
    model: DepthNoise = REALSENSE_D435,
) -> Float32Array:
    """Return an (H, W) depth image [m] as a stereo camera would measure it; 0 stays and marks no measurement.

    Edges are displaced and disparity is disturbed, then rounded, as in Barron and Malik, "Intrinsic scene
    properties from a single RGB-D image", CVPR 2013, and Handa et al., "A benchmark for RGB-D visual odometry, 3D
    reconstruction and SLAM", ICRA 2014. The depth error grows as z^2 x subpixel / (focal x baseline): Grunnet-Jepsen
    et al., "Best-known-methods for tuning Intel RealSense D400 depth cameras", 2018.
    """
    clean = np.asarray(depth_m, dtype=np.float32)
    measured = clean > 0.0
    edges = _edges(clean, measured, model)
    depth = _smear_edges(clean, edges, rng, model)
    scale = np.float32(model.baseline_m * model.focal_px)
    valid = depth > 0.0
    disparity = scale / np.where(valid, depth, np.float32(1.0))
    disparity += _correlated_noise(clean.shape, rng, model)
    step = np.float32(model.disparity_step_px)
    disparity = np.round(disparity / step) * step
    lost = ~valid | (disparity <= step) | (depth < model.min_range_m)
    chance = rng.random(clean.shape, dtype=np.float32)
    lost |= chance < np.where(edges, model.edge_loss, model.random_loss)
    lost |= chance < _grazing_loss(clean, measured, intrinsics, model)
    return np.where(lost, np.float32(0.0), scale / np.maximum(disparity, step)).astype(np.float32)


def _edges(depth: Float32Array, measured: BoolArray, model: DepthNoise) -> BoolArray:
    """Tell where depth jumps within the 3 x 3 neighbourhood."""
    filled = np.where(measured, depth, np.float32(10.0))
    jump = maximum_filter(filled, 3) - minimum_filter(filled, 3)
    # A sloping surface changes depth smoothly; a step exceeds what a 75 degree slope spans.
    return np.asarray(measured & (jump > model.edge_m * filled))


def _smear_edges(
    depth: Float32Array, edges: BoolArray, rng: np.random.Generator, model: DepthNoise
) -> Float32Array:
    """Displace edge pixels sideways and let some fly between the two surfaces."""
    rows, columns = np.nonzero(edges)
    offsets = np.rint(rng.normal(0.0, model.shift_px, (2, len(rows)))).astype(np.intp)
    height, width = depth.shape
    other = depth[np.clip(rows + offsets[0], 0, height - 1), np.clip(columns + offsets[1], 0, width - 1)]
    flying = rng.random(len(rows)) < model.flying_share
    share = np.where(flying, rng.random(len(rows)), 1.0).astype(np.float32)
    here = depth[rows, columns]
    smeared = depth.copy()
    smeared[rows, columns] = np.where(other > 0.0, here + share * (other - here), here)
    return smeared


def _correlated_noise(shape: tuple[int, ...], rng: np.random.Generator, model: DepthNoise) -> Float32Array:
    """(H, W) disparity noise with the model's standard deviation and correlation [px]."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    if model.correlation_px > 0.0:
        noise = gaussian_filter(noise, model.correlation_px, truncate=3.0)
        noise /= noise.std()
    return np.asarray(noise * np.float32(model.disparity_sigma_px), dtype=np.float32)


def _grazing_loss(
    depth: Float32Array, measured: BoolArray, intrinsics: Intrinsics, model: DepthNoise
) -> Float32Array:
    """(H, W) chance of no measurement from the angle of incidence.

    Inverse depth of a plane is linear in the pixel, so its gradient gives the normal without cross products.
    """
    height, width = depth.shape
    inverse = (np.float32(1.0) / np.where(measured, depth, np.float32(10.0))).astype(np.float32)
    slope_v, slope_u = _lesser_slope(inverse, 0), _lesser_slope(inverse, 1)
    x = (np.arange(width, dtype=np.float32) - np.float32(intrinsics.cx)) / np.float32(intrinsics.fx)
    y = ((np.arange(height, dtype=np.float32) - np.float32(intrinsics.cy)) / np.float32(intrinsics.fy))[
        :, None
    ]
    along_u, along_v = slope_u * np.float32(intrinsics.fx), slope_v * np.float32(intrinsics.fy)
    normal = np.sqrt(along_u**2 + along_v**2 + (inverse - along_u * x - along_v * y) ** 2)
    cosine = inverse / (normal * np.sqrt(x**2 + y**2 + 1.0))
    begin, certain = (np.cos(np.deg2rad(angle)) for angle in model.grazing_deg)
    return np.asarray(np.clip((begin - cosine) / (begin - certain), 0.0, 1.0), dtype=np.float32)


def _lesser_slope(values: Float32Array, axis: int) -> Float32Array:
    """Of the differences to both neighbours, the smaller: a jump beside a pixel does not tilt its surface."""
    steps = np.diff(values, axis=axis)
    first, last = np.take(steps, [0], axis=axis), np.take(steps, [-1], axis=axis)
    before, after = np.concatenate([first, steps], axis=axis), np.concatenate([steps, last], axis=axis)
    return np.where(np.abs(before) < np.abs(after), before, after)
