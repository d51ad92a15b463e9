# SPDX-License-Identifier: Apache-2.0
"""A small hand-made run: two objects, a plan of two motions, a recording that lags behind it."""

from __future__ import annotations

import numpy as np
import pytest

from spatialpin_ros.camera import ImageMask, Intrinsics
from spatialpin_ros.geometry import OrientedBox, Pose
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import Plan, PlanStage, Trajectory
from spatialpin_ros.report import JointRecording, RunRecord, StageEvent, Timing, VideoFrame
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface
from spatialpin_ros.task import Task, TaskStep

JOINTS = tuple(f"joint{index}" for index in range(1, 8))
LAG_S = 0.18


def _mask(row: int, column: int, height: int, width: int) -> ImageMask:
    return ImageMask(np.ones((height, width), dtype=np.bool_), (row, column))


def make_scene() -> Scene:
    """A red cube and a blue block on a table."""
    cube = SceneObject(
        "o1", "red cube", "cube", "red", np.array([200, 40, 40], np.uint8), "box",
        OrientedBox(Pose.from_yaw([0.5, 0.1, 0.025], 0.3), np.array([0.05, 0.05, 0.05])), mask=_mask(60, 40, 24, 20),
        visibility=0.97,
    )  # fmt: skip
    block = SceneObject(
        "o2", "blue block", "block", "blue", np.array([40, 60, 200], np.uint8), "box",
        OrientedBox(Pose.from_yaw([0.45, -0.15, 0.03], -0.4), np.array([0.1, 0.08, 0.06])), mask=_mask(50, 100, 30, 36),
    )  # fmt: skip
    outline = np.array([[0.2, -0.45], [0.85, -0.45], [0.85, 0.45], [0.2, 0.45]])
    table = SupportSurface("table", Pose(), outline)
    camera = Pose.looking_at([1.25, 0.0, 0.7], [0.48, 0.0, 0.03])
    return Scene((table,), (cube, block), camera, Intrinsics.from_vertical_fov(160, 120, 0.7))


def smooth_motion(start: float, end: float, duration_s: float) -> Trajectory:
    """A quintic from rest to rest, the same for all joints up to a factor."""
    times = np.linspace(0.0, duration_s, 60)
    t = times / duration_s
    factors = np.linspace(0.3, 1.0, 7)
    position = start + (end - start) * (10 * t**3 - 15 * t**4 + 6 * t**5)
    velocity = (end - start) * (30 * t**2 - 60 * t**3 + 30 * t**4) / duration_s
    return Trajectory(
        JOINTS, times, np.outer(position, factors), np.outer(velocity, factors), np.zeros((len(times), 7))
    )


def make_plan(task: Task) -> Plan:
    waypoints = np.column_stack(
        [np.linspace([0.3, 0.0, 0.4], [0.45, -0.15, 0.1], 20), np.tile([1.0, 0, 0, 0], (20, 1))]
    )
    stages = (
        PlanStage(
            "approach",
            0,
            smooth_motion(0.0, 1.0, 1.5),
            tcp_waypoints=waypoints,
            text="Move above the red cube.",
        ),
        PlanStage("grasp", 0, gripper_width_m=0.05, gripper_force_n=20.0, text="Close on the red cube."),
        PlanStage(
            "transfer",
            1,
            smooth_motion(1.0, -0.5, 2.0),
            tcp_waypoints=waypoints,
            holding="o1",
            text="Carry it.",
        ),
    )
    metrics = {"planning_s": 0.31, "clearance_m": 0.012, "candidates": 4.0}
    expected = {"o1": Pose(np.array([0.45, -0.15, 0.085]))}
    return Plan(task, stages, JOINTS, "base", "tip", expected_poses=expected, metrics=metrics)


def make_recording(plan: Plan) -> JointRecording:
    """What an arm that follows the plan LAG_S after each announced start would report."""
    times = np.arange(0.0, 5.0, 0.01)
    starts = (0.5 + LAG_S, 2.6 + LAG_S)
    motions = [stage.trajectory for stage in plan.stages if stage.trajectory is not None]
    positions = np.zeros((len(times), 7))
    for start, motion in zip(starts, motions, strict=True):
        columns = [np.interp(times - start, motion.times, column) for column in motion.positions.T]
        positions = np.where((times >= start)[:, None], np.stack(columns, axis=1), positions)
    return JointRecording(JOINTS, times, positions, np.gradient(positions, times, axis=0))


@pytest.fixture
def run() -> RunRecord:
    """A successful run with everything in it."""
    rng = np.random.default_rng(0)
    image = rng.integers(90, 120, (120, 160, 3)).astype(np.uint8)
    task = Task("t1", "Put the red cube on the blue block.", (TaskStep("pick", "o1"), TaskStep("place_on", "o1", "o2")),
                rationale="Both fit the hand; the block is wider than the cube.", score=0.9)  # fmt: skip
    other = Task("t2", "Pick up the blue block.", (TaskStep("pick", "o2"),), score=0.4)
    plan = make_plan(task)
    video = tuple(
        VideoFrame(time, np.roll(image, int(time * 10), axis=1)) for time in np.arange(0.0, 5.0, 0.2)
    )
    return RunRecord(
        title="Put the red cube on the blue block",
        started_at="2026-01-02T03:04:05",
        seed=7,
        transport="one process, no ROS",
        image=image,
        image_after=image,
        scene=make_scene(),
        scene_after=make_scene(),
        proposals=(task, other),
        rejected=("the blue block on the red cube: would overhang",),
        task=task,
        plan=plan,
        outcome=Outcome("t1", "succeeded", "stacked", message="It stands on the block.",
                        measurements={"horizontal_offset_m": 0.0031, "tilt_rad": 0.01}),
        timings=(Timing("capture", 0.05), Timing("planning", 0.31)),
        events=(StageEvent("approach", "Move above the red cube.", 0.5, 2.2, 0),
                StageEvent("grasp", "Close.", 2.2, 2.6, 1), StageEvent("transfer", "Carry it.", 2.6, 4.9, 2)),
        joints=make_recording(plan),
        video=video,
        machine={"cpu": "test", "python": "3"},
    )  # fmt: skip
