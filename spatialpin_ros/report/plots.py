# SPDX-License-Identifier: Apache-2.0
"""Plots of a run as SVG: the table from above, and the joints as planned against as measured."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Polygon

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.plan import Plan, Trajectory
from spatialpin_ros.report.images import color_of, ink_on
from spatialpin_ros.report.record import JointRecording, StageEvent
from spatialpin_ros.scene import Scene, SceneObject

LINES = ("#e8590c", "#1c7ed6", "#2f9e44", "#9c36b5", "#f08c00", "#0c8599", "#e03131", "#5c940d", "#3b5bdb")
INK = "#7d8590"
GRID = "#7d859040"
MOST_POINTS = 700
ALIGNMENT_WINDOW_S = 1.0


def _svg(figure: Figure) -> bytes:
    """Encode with a clear background and ink that reads on light and on dark pages."""
    FigureCanvasSVG(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    return buffer.getvalue()


def _dress(axes: Axes) -> None:
    axes.tick_params(colors=INK, labelsize=8)
    axes.grid(visible=True, color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(GRID)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set_color(INK)
        axis.label.set_fontsize(9)


def top_view(scene: Scene, plan: Plan | None = None, after: Scene | None = None) -> bytes:
    """Draw the table from above as SVG: x up (away from the robot), y to the left, in metres.

    Args:
        scene: the scene before the task.
        plan: its tip path and expected places are drawn when given.
        after: the scene after the task; objects that moved are drawn dashed where they are now.
    """
    figure = Figure(figsize=(6.4, 5.2))
    axes = figure.add_subplot()
    outline = scene.table.outline_base
    axes.add_patch(Polygon(_turned(outline), closed=True, facecolor="#7d859018", edgecolor=GRID))
    for item in scene.objects:
        _draw_object(axes, item)
        axes.annotate(
            item.id,
            _turned(item.centre[None, :])[0],
            color=ink_on(color_of(item)),
            fontsize=8,
            ha="center",
            va="center",
            weight="bold",
        )
    if plan is not None:
        path = _turned(plan.waypoints[:, :3])
        axes.plot(
            path[:, 0], path[:, 1], color=INK, linewidth=1.2, linestyle=":", label="planned path of the tip"
        )
        for pose in plan.expected_poses.values():
            spot = _turned(pose.position[None, :])[0]
            axes.plot(
                *spot,
                marker="x",
                color="#ff8c42",
                markersize=9,
                mew=2.2,
                linestyle="",
                zorder=10,
                label="planned place",
            )
    if after is not None:
        _draw_moved(axes, scene, after)
    axes.plot(0.0, 0.0, marker="^", color=INK, markersize=9, linestyle="", label="robot base")
    axes.set_aspect("equal")
    axes.set_xlim(0.55, -0.55)
    axes.set_ylim(-0.08, 0.95)
    axes.set_xlabel("y [m], left is left of the robot")
    axes.set_ylabel("x [m], away from the robot")
    _dress(axes)
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes.legend(unique.values(), unique.keys(), fontsize=8, frameon=False, labelcolor=INK, loc="lower left")
    return _svg(figure)


def _turned(points: FloatArray) -> FloatArray:
    """(N, 2) plot coordinates (y, x) of (N, >=2) points of the base frame."""
    return np.asarray(points)[:, [1, 0]]


def _draw_object(axes: Axes, item: SceneObject) -> None:
    color = color_of(item)
    upright = abs(item.box.pose.axes[2, 2]) > 0.9
    style = {"facecolor": color + "cc", "edgecolor": INK, "linewidth": 0.8, "zorder": 2 + item.box.top_z}
    if item.shape in ("cylinder", "sphere") and upright:
        axes.add_patch(Circle(tuple(_turned(item.centre[None, :])[0]), float(item.size[0]) / 2.0, **style))
    else:
        axes.add_patch(Polygon(_turned(item.box.footprint), closed=True, **style))


def _draw_moved(axes: Axes, before: Scene, after: Scene) -> None:
    """Dashed outlines of the objects of `after` that were nowhere within 15 mm before."""
    known = np.array([item.centre for item in before.objects]).reshape(-1, 3)
    for item in after.objects:
        if len(known) and np.linalg.norm(known - item.centre, axis=1).min() < 0.015:
            continue
        style = {"fill": False, "edgecolor": "#ff8c42", "linestyle": "--", "linewidth": 1.6, "zorder": 9}
        patch = Polygon(_turned(item.box.footprint), closed=True, label="moved, as seen after", **style)
        axes.add_patch(patch)


def align(trajectory: Trajectory, recording: JointRecording, about_s: float) -> float:
    """Time at which the arm began a trajectory, by least squares near a rough start time.

    Stage changes reach the recorder late by a message or two; matching the motion removes that delay.

    Args:
        trajectory: the planned motion.
        recording: the measured one, with the same joints.
        about_s: rough start on the recording's clock [s].
    """
    window = ALIGNMENT_WINDOW_S
    near = (recording.times >= about_s - window) & (
        recording.times <= about_s + trajectory.duration_s + window
    )
    times, positions = recording.times[near], recording.positions[near]
    if len(times) < 3:
        return about_s
    offsets = np.linspace(-window, window, 201)
    errors = [_misfit(trajectory, times - about_s - offset, positions) for offset in offsets]
    return about_s + float(offsets[int(np.argmin(errors))])


def _misfit(trajectory: Trajectory, times: FloatArray, positions: FloatArray) -> float:
    planned = _sampled(trajectory, times)
    return float(np.square(planned - positions).mean())


def _sampled(trajectory: Trajectory, times: FloatArray) -> FloatArray:
    """(N, D) planned positions at times since its start, held before and after."""
    columns = [np.interp(times, trajectory.times, column) for column in trajectory.positions.T]
    return np.stack(columns, axis=1)


def tracking_errors(plan: Plan, events: Sequence[StageEvent], recording: JointRecording) -> FloatArray:
    """(D,) largest difference of measured from planned position per joint during the motions [rad].

    NaN when no motion was recorded.
    """
    largest = np.full(len(plan.joint_names), np.nan)
    for start, trajectory in _placed_motions(plan, events, recording):
        near = (recording.times >= start) & (recording.times <= start + trajectory.duration_s)
        if near.any():
            planned = _sampled(trajectory, recording.times[near] - start)
            largest = np.fmax(largest, np.abs(planned - recording.positions[near]).max(axis=0))
    return largest


def _placed_motions(
    plan: Plan, events: Sequence[StageEvent], recording: JointRecording
) -> list[tuple[float, Trajectory]]:
    placed = []
    for event in events:
        if not 0 <= event.plan_index < len(plan.stages):
            continue
        trajectory = plan.stages[event.plan_index].trajectory
        if trajectory is not None:
            placed.append((align(trajectory, recording, event.started_s), trajectory))
    return placed


def joint_plots(plan: Plan, events: Sequence[StageEvent], recording: JointRecording) -> tuple[bytes, bytes]:
    """SVGs of joint positions and velocities over time: measured as lines, planned dashed.

    Args:
        plan: the planned motions.
        events: when each stage ran.
        recording: measured states of the plan's joints, in the plan's order.
    """
    motions = _placed_motions(plan, events, recording)
    positions = _joint_plot(plan, events, recording, motions, "positions", "position [rad]")
    return positions, _joint_plot(plan, events, recording, motions, "velocities", "velocity [rad/s]")


def _joint_plot(
    plan: Plan,
    events: Sequence[StageEvent],
    recording: JointRecording,
    motions: Sequence[tuple[float, Trajectory]],
    quantity: str,
    label: str,
) -> bytes:
    figure = Figure(figsize=(9.0, 3.6))
    axes = figure.add_subplot()
    zero = recording.times[0] if len(recording.times) else 0.0
    thin = max(1, len(recording.times) // MOST_POINTS)
    for joint, name in enumerate(plan.joint_names):
        color = LINES[joint % len(LINES)]
        values = getattr(recording, quantity)[::thin, joint]
        axes.plot(recording.times[::thin] - zero, values, color=color, linewidth=1.2, label=name)
        for start, trajectory in motions:
            step = max(1, len(trajectory.times) // 120)
            planned = getattr(trajectory, quantity)[::step, joint]
            axes.plot(
                trajectory.times[::step] + start - zero, planned, color=color, linewidth=2.6, alpha=0.35
            )
    _mark_stages(axes, events, zero)
    axes.set_xlabel("time [s]; thin: measured, broad: planned")
    axes.set_ylabel(label)
    _dress(axes)
    axes.legend(fontsize=8, frameon=False, labelcolor=INK, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return _svg(figure)


def _mark_stages(axes: Axes, events: Sequence[StageEvent], zero_s: float) -> None:
    for index, event in enumerate(events):
        begin, end = event.started_s - zero_s, event.ended_s - zero_s
        if index % 2 == 0:
            axes.axvspan(begin, end, color="#7d859016", linewidth=0)
        axes.text(
            (begin + end) / 2, 1.01, event.name, rotation=35, fontsize=7, color=INK, ha="left", va="bottom",
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
