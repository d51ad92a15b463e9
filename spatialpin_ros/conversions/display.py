# SPDX-License-Identifier: Apache-2.0
"""What RViz shows: markers of objects and plans, and a plan's tip path and whole trajectory."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import ColorRGBA, Header
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import Marker, MarkerArray

from spatialpin_ros.arrays import FloatArray, UInt8Array
from spatialpin_ros.conversions.basics import (
    header,
    points_to_msgs,
    pose_to_msg,
    vector_to_msg,
    waypoints_to_msg,
)
from spatialpin_ros.conversions.points import points_to_msg
from spatialpin_ros.conversions.scenes import color_to_rgba
from spatialpin_ros.conversions.tasks import trajectory_to_msg
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import Plan, Trajectory
from spatialpin_ros.scene import Scene, SceneObject

TEXT_HEIGHT_M = 0.025
_MARKER_SHAPES = {
    "box": Marker.CUBE,
    "cylinder": Marker.CYLINDER,
    "sphere": Marker.SPHERE,
    "unknown": Marker.CUBE,
}
_STAGE_COLORS = {
    "approach": (0.2, 0.6, 1.0),
    "grasp": (1.0, 0.8, 0.1),
    "lift": (1.0, 0.5, 0.1),
    "transfer": (0.9, 0.2, 0.6),
    "place": (0.6, 0.3, 1.0),
    "release": (0.5, 0.5, 0.5),
    "retreat": (0.2, 0.8, 0.5),
    "home": (0.5, 0.5, 0.5),
}


def scene_to_cloud(scene: Scene) -> PointCloud2:
    """Collect the points of all objects and the unexplained ones, which are grey, in one coloured cloud."""
    grey = np.full((len(scene.unexplained), 3), 128, dtype=np.uint8)
    points = [item.points for item in scene.objects] + [scene.unexplained]
    colors = [_colors(item) for item in scene.objects] + [grey]
    return points_to_msg(np.concatenate(points), np.concatenate(colors), scene.base_frame, scene.stamp_s)


def _colors(item: SceneObject) -> UInt8Array:
    return item.colors if len(item.colors) else np.tile(item.color_rgb, (len(item.points), 1))


def scene_to_markers(scene: Scene) -> MarkerArray:
    """Convert to a see-through primitive and a name for each object and the outline of each support.

    The first marker deletes those of the scene before.
    """
    markers = [Marker(header=header(scene.base_frame, scene.stamp_s), action=Marker.DELETEALL)]
    for index, item in enumerate(scene.objects):
        markers += [_object_marker(scene, item, index), _name_marker(scene, item, index)]
    for index, surface in enumerate(scene.supports):
        outline = np.vstack([surface.outline_base, surface.outline_base[:1]])
        color = ColorRGBA(r=0.9, g=0.9, b=0.9, a=0.8)
        markers.append(_line(header(scene.base_frame, scene.stamp_s), "supports", index, outline, color))
    return MarkerArray(markers=markers)


def _object_marker(scene: Scene, item: SceneObject, index: int) -> Marker:
    return Marker(
        header=header(scene.base_frame, scene.stamp_s),
        ns="objects",
        id=index,
        type=_MARKER_SHAPES[item.shape],
        pose=pose_to_msg(item.box.pose),
        scale=vector_to_msg(item.box.size),
        color=color_to_rgba(item.color_rgb, 0.5),
    )


def _name_marker(scene: Scene, item: SceneObject, index: int) -> Marker:
    above = Pose(np.array([*item.centre[:2], item.box.top_z + TEXT_HEIGHT_M]))
    return Marker(
        header=header(scene.base_frame, scene.stamp_s),
        ns="names",
        id=index,
        type=Marker.TEXT_VIEW_FACING,
        pose=pose_to_msg(above),
        scale=vector_to_msg(np.full(3, TEXT_HEIGHT_M)),
        color=ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0),
        text=item.name,
    )


def _line(where: Header, namespace: str, index: int, points: FloatArray, color: ColorRGBA) -> Marker:
    return Marker(
        header=where,
        ns=namespace,
        id=index,
        type=Marker.LINE_STRIP,
        pose=pose_to_msg(Pose()),
        scale=vector_to_msg(np.array([0.004, 0.0, 0.0])),
        color=color,
        points=points_to_msgs(points),
    )


def plan_to_markers(plan: Plan, stamp_s: float = 0.0) -> MarkerArray:
    """Convert to one coloured line of the tip per stage and a sphere where each object is to end."""
    markers = [Marker(header=header(plan.base_frame, stamp_s), action=Marker.DELETEALL)]
    for index, stage in enumerate(plan.stages):
        if len(stage.tcp_waypoints) >= 2:
            r, g, b = _STAGE_COLORS[stage.name]
            color = ColorRGBA(r=r, g=g, b=b, a=1.0)
            points = stage.tcp_waypoints[:, :3]
            markers.append(_line(header(plan.base_frame, stamp_s), "stages", index, points, color))
    for index, pose in enumerate(plan.expected_poses.values()):
        marker = Marker(header=header(plan.base_frame, stamp_s), ns="goals", id=index, type=Marker.SPHERE)
        marker.pose, marker.scale = pose_to_msg(pose), vector_to_msg(np.full(3, 0.02))
        marker.color = ColorRGBA(r=0.1, g=1.0, b=0.2, a=0.9)
        markers.append(marker)
    return MarkerArray(markers=markers)


def plan_to_path(plan: Plan, stamp_s: float = 0.0) -> Path:
    """Convert the tip's waypoints of all stages to a path."""
    poses = waypoints_to_msg(plan.waypoints, plan.base_frame, stamp_s).poses
    stamped = [PoseStamped(header=header(plan.base_frame, stamp_s), pose=pose) for pose in poses]
    return Path(header=header(plan.base_frame, stamp_s), poses=stamped)


def plan_to_trajectory(plan: Plan, stamp_s: float = 0.0) -> JointTrajectory:
    """Convert the motions of all stages, one after the other without the gripper's pauses, to one trajectory."""
    motions = [stage.trajectory for stage in plan.stages if stage.trajectory is not None]
    return trajectory_to_msg(_joined(motions), plan.base_frame, stamp_s)


def _joined(motions: Iterable[Trajectory]) -> Trajectory:
    first, *rest = motions
    parts = [(first.times, first.positions, first.velocities, first.accelerations)]
    offset = first.duration_s
    for motion in rest:
        arrays = (
            motion.times[1:] + offset,
            motion.positions[1:],
            motion.velocities[1:],
            motion.accelerations[1:],
        )
        parts.append(arrays)
        offset += motion.duration_s
    times, positions, velocities, accelerations = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Trajectory(first.joint_names, times, positions, velocities, accelerations)
