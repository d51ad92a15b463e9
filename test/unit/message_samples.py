# SPDX-License-Identifier: Apache-2.0
"""Nouns drawn at random, and the way through the wire format and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

pytest.importorskip("rclpy")

from rclpy.serialization import deserialize_message, serialize_message

from spatialpin_ros.camera import CameraFrame, ImageMask, Intrinsics
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh
from spatialpin_ros.plan import Alternative, Plan, PlanStage, Trajectory
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface
from spatialpin_ros.task import Task, TaskStep

SETTINGS = settings(max_examples=25, deadline=None)
FINITE = st.floats(-10.0, 10.0, allow_nan=False)
TEXT = st.text(
    st.characters(blacklist_categories=("Cs",), blacklist_characters="\x00"), min_size=1, max_size=12
)


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


@st.composite
def poses(draw):
    quaternion = draw(hnp.arrays(np.float64, 4, elements=st.floats(-1.0, 1.0)))
    if np.linalg.norm(quaternion) < 0.1:
        quaternion = np.array([0.0, 0.0, 0.0, 1.0])
    return Pose(draw(hnp.arrays(np.float64, 3, elements=FINITE)), quaternion)


def close(one, other):
    """Compare the JSON documents of two nouns, numbers to single precision where messages hold no more."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            close(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            close(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-6)
    else:
        assert one == other


def make_trajectory(start=0.0, end=1.0, count=6):
    positions = np.linspace(start, end, count)[:, None] * np.array([1.0, -2.0])
    return Trajectory(("a", "b"), np.linspace(0.0, 1.3, count), positions, positions * 0.5, positions * 0.1)


def make_plan():
    waypoints = np.tile(np.array([0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 1.0]), (3, 1))
    stages = (
        PlanStage("approach", 0, trajectory=make_trajectory(), tcp_waypoints=waypoints, text="go"),
        PlanStage("grasp", 0, gripper_width_m=0.03, gripper_force_n=20.0),
        PlanStage(
            "lift",
            0,
            trajectory=make_trajectory(1.0, 0.5),
            tcp_waypoints=waypoints,
            holding="o1",
            linear=True,
        ),
    )
    task = Task("t", "pick it", (TaskStep("pick", "o1"),))
    grasp, goal = Pose((0.0, 0.0, 0.05)), Pose((0.5, 0.1, 0.2))
    others = (Alternative(0, "tilted", 1.5, "longer"), Alternative(0, "from the side", None, "out of reach"))
    return Plan(
        task,
        stages,
        ("a", "b"),
        "base",
        "tip",
        {"o1": grasp},
        {"o1": goal},
        12.5,
        {"planning_s": 0.3},
        others,
    )


def make_frame(height=12, width=16, seed=0):
    rng = np.random.default_rng(seed)
    color = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    depth = rng.uniform(0.3, 2.0, (height, width)).astype(np.float32)
    depth[0, 0] = 0.0
    return CameraFrame(
        color, depth, Intrinsics(width, height, 20.0, 21.0, 7.5, 5.5), Pose((1.0, 0.0, 0.5)), 2.25
    )


@st.composite
def scene_objects(draw, index):
    count = draw(st.integers(0, 30))
    mask = draw(st.none() | hnp.arrays(np.bool_, (draw(st.integers(1, 9)), draw(st.integers(1, 9)))))
    mesh = TriangleMesh(np.eye(3), [[0, 1, 2]]) if draw(st.booleans()) else None
    colored = draw(st.booleans())
    return SceneObject(
        id=f"o{index}",
        name=f"thing {index}",
        label=draw(TEXT),
        color=draw(TEXT),
        color_rgb=draw(hnp.arrays(np.uint8, 3)),
        shape=draw(st.sampled_from(["box", "cylinder", "sphere", "unknown"])),
        box=OrientedBox(draw(poses()), draw(hnp.arrays(np.float64, 3, elements=st.floats(0.001, 1.0)))),
        fit_residual_m=draw(st.floats(0.0, 0.1)),
        points=draw(hnp.arrays(np.float32, (count, 3), elements=st.floats(-1.0, 1.0, width=32))),
        colors=draw(hnp.arrays(np.uint8, (count if colored else 0, 3))),
        supported_by="table" if index == 0 else f"o{index - 1}",
        confidence=draw(st.floats(0.0, 1.0)),
        visibility=draw(st.floats(0.0, 1.0)),
        mask=None if mask is None else ImageMask(mask, (draw(st.integers(0, 99)), draw(st.integers(0, 99)))),
        mesh=mesh,
    )


@st.composite
def scenes(draw):
    outline = draw(hnp.arrays(np.float64, (4, 2), elements=FINITE))
    intrinsics = Intrinsics(640, 480, 600.0, 601.0, 319.5, 239.5, "file")
    return Scene(
        supports=(SupportSurface("table", draw(poses()), outline),),
        objects=tuple(draw(scene_objects(index)) for index in range(draw(st.integers(0, 3)))),
        base_T_camera=draw(poses()),
        intrinsics=draw(st.sampled_from([None, intrinsics])),
        stamp_s=draw(st.floats(0.0, 1e6)),
        base_frame=draw(TEXT),
        unexplained=draw(hnp.arrays(np.float32, (5, 3), elements=st.floats(-1.0, 1.0, width=32))),
    )
