# SPDX-License-Identifier: Apache-2.0
"""A serial arm from its URDF and RobotConfig: limits, kinematics, convex collision bodies, allowed pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import coal
import numpy as np
import pinocchio as pin
from scipy.spatial.transform import Rotation

from spatialpin_ros.arrays import BoolArray, FloatArray, read_only
from spatialpin_ros.config import RobotConfig, resolve_uri
from spatialpin_ros.errors import InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import Pose
from spatialpin_ros.planning.kinematics import Chain, chain_of
from spatialpin_ros.planning.never_touch import never_touch
from spatialpin_ros.planning.urdf import joint_soft_limits, link_parents, prepare_urdf

_SAMPLES = 300


class RobotModel:
    """What planning needs to know of an arm; immutable after construction.

    Args:
        config: planning group, tip frame, gripper, limits.
        urdf: XML text; by default the file that `config.urdf` names.

    Raises:
        InvalidValueError: when the URDF is broken, or lacks a joint, link or mesh that is needed.
    """

    def __init__(self, config: RobotConfig, urdf: str | None = None) -> None:
        self.config = config
        self.urdf, self.urdf_folder = _load(config, urdf)
        text = prepare_urdf(self.urdf, self.urdf_folder)
        try:
            self.model = pin.buildModelFromXML(text)
            geometry = pin.buildGeomFromUrdfString(self.model, text, pin.GeometryType.COLLISION)
        except (ValueError, RuntimeError) as error:
            raise InvalidValueError(f"robot '{config.name}': URDF cannot be used: {error}") from error
        self.joint_names = tuple(config.joints)
        self._check_names()
        self._indices = [int(self.model.idx_qs[self.model.getJointId(name)]) for name in self.joint_names]
        self._columns = _slice_or_list(self._indices)
        self._finger_indices = [
            int(self.model.idx_qs[self.model.getJointId(name)]) for name in config.gripper.joints
        ]
        self.lower, self.upper = self._position_limits(text)
        scale = config.limits
        self.velocity = read_only(scale.velocity * scale.velocity_scaling, "velocity", (None,))
        self.acceleration = read_only(
            scale.acceleration * scale.acceleration_scaling, "acceleration", (None,)
        )
        self.jerk = read_only(scale.jerk * scale.acceleration_scaling, "jerk", (None,))
        self.geometry = _convex(geometry)
        self.geometry_links = tuple(self._link_of(item) for item in self.geometry.geometryObjects)
        self.tip_frame = int(self.model.getFrameId(config.tip_frame))
        self.tip_joint = int(self.model.frames[self.model.getFrameId(config.tip_frame)].parentJoint)
        self.tip_offset = self.model.frames[self.model.getFrameId(config.tip_frame)].placement
        self.chain: Chain = chain_of(self.model, self.joint_names, config.tip_frame)
        self._check_base_frame()
        self.tip_beyond_tcp_m, self.palm_behind_tcp_m = self._gripper_depths()
        self.allowed_reasons = self._allowed_pairs(link_parents(text))
        self.never_touching = self._never_touching()
        self.collision_matrix = self._collision_matrix()
        gripper = self.gripper_links
        self.gripper_bodies: BoolArray = np.array([link in gripper for link in self.geometry_links])
        self.moving_bodies: BoolArray = np.array(
            [item.parentJoint > 0 for item in self.geometry.geometryObjects]
        )

    @property
    def dimension(self) -> int:
        return len(self.joint_names)

    @property
    def link_names(self) -> tuple[str, ...]:
        """Names of the links that have collision geometry, each once."""
        return tuple(dict.fromkeys(self.geometry_links))

    @property
    def gripper_links(self) -> frozenset[str]:
        return frozenset(self.config.gripper.links)

    @property
    def allowed_pairs(self) -> frozenset[tuple[str, str]]:
        """Pairs of links (sorted) that may touch: never checked against each other."""
        return frozenset(self.allowed_reasons)

    @property
    def srdf(self) -> str:
        """The planning group and the disabled collisions as SRDF text."""
        reasons = self.allowed_reasons | dict.fromkeys(self.never_touching, "Never")
        rows = [
            f'  <disable_collisions link1="{a}" link2="{b}" reason="{why}"/>'
            for (a, b), why in sorted(reasons.items())
        ]
        joints = [f'    <joint name="{name}"/>' for name in self.joint_names]
        lines = [
            f'<robot name="{self.config.name}">',
            '  <group name="arm">',
            *joints,
            "  </group>",
            *rows,
            "</robot>",
        ]
        return "\n".join(lines)

    def full(self, q: FloatArray, width_m: float) -> FloatArray:
        """Extend (..., D) arm positions to (..., nq) of the whole model with the fingers `width_m` apart."""
        full = np.zeros((*q.shape[:-1], self.model.nq))
        full[..., self._columns] = q
        full[..., self._finger_indices] = width_m * self.config.gripper.joint_position_per_width
        return full

    def within_limits(self, q: FloatArray, tolerance_rad: float = 1e-6) -> BoolArray:
        """Tell which of (..., D) positions respect the position limits."""
        inside = (q >= self.lower - tolerance_rad) & (q <= self.upper + tolerance_rad)
        return np.asarray(inside.all(axis=-1))

    def limit_violation(self, q: FloatArray) -> str:
        """Name the joints of one (D,) position that are outside their limits; empty when none."""
        outside = np.flatnonzero((q < self.lower - 1e-6) | (q > self.upper + 1e-6))
        parts = [
            f"{self.joint_names[j]} at {q[j]:.3f} outside [{self.lower[j]:.3f}, {self.upper[j]:.3f}]"
            for j in outside
        ]
        return ", ".join(parts)

    def tcp(self, q: FloatArray) -> Pose:
        """Pose of the tip frame in the base frame for one (D,) position."""
        rotations, positions = self.tcp_batch(np.asarray(q, dtype=np.float64)[None])
        return Pose(positions[0], Rotation.from_matrix(rotations[0]).as_quat())

    def tcp_batch(self, q: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Rotations (N, 3, 3) and positions (N, 3) [m] of the tip frame for (N, D) positions."""
        rotation, position, _, _ = self.chain.forward(q)
        return rotation, position

    def tcp_waypoints(self, q: FloatArray) -> FloatArray:
        """(N, 7) tip poses, x y z then xyzw, for (N, D) positions."""
        rotation, position = self.tcp_batch(q)
        return np.concatenate([position, Rotation.from_matrix(rotation).as_quat()], axis=1)

    def _gripper_depths(self) -> tuple[float, float]:
        """How far the fingers reach beyond the TCP, and how far behind it the palm is, along tip z [m]."""
        beyond, palm = 0.0, self.config.gripper.finger_length_m
        moving = {int(self.model.getJointId(name)) for name in self.config.gripper.joints}
        data = self.model.createData()
        pin.framesForwardKinematics(self.model, data, pin.neutral(self.model))
        tip_T_base = data.oMf[self.tip_frame].inverse()
        for item, link in zip(self.geometry.geometryObjects, self.geometry_links, strict=True):
            if link not in self.gripper_links:
                continue
            tip_T_body = tip_T_base * data.oMi[item.parentJoint] * item.placement
            item.geometry.computeLocalAABB()
            low, high = item.geometry.aabb_local.min_, item.geometry.aabb_local.max_
            corners = np.array(
                [[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])]
            )
            depth = float((corners @ tip_T_body.rotation.T + tip_T_body.translation)[:, 2].max())
            if item.parentJoint in moving:
                beyond = max(beyond, depth)
            elif depth < 0.0:
                palm = min(palm, -depth)
        return beyond, palm

    def _check_base_frame(self) -> None:
        """Refuse a base frame that is not the root: every pose is taken in the root link's frame."""
        if not self.model.existFrame(self.config.base_frame):
            raise UnknownNameError(
                self.config.base_frame, [frame.name for frame in self.model.frames], "link"
            )
        frame = self.model.frames[self.model.getFrameId(self.config.base_frame)]
        if frame.parentJoint != 0 or not np.allclose(frame.placement.homogeneous, np.eye(4), atol=1e-9):
            raise InvalidValueError(
                f"robot '{self.config.name}': base_frame '{self.config.base_frame}' must be the URDF's root link"
            )

    def _check_names(self) -> None:
        joints = list(self.model.names)[1:]
        for name in (*self.joint_names, *self.config.gripper.joints):
            if name not in joints:
                raise UnknownNameError(name, joints, f"joint of robot '{self.config.name}'")
        links = [frame.name for frame in self.model.frames]
        for name in (self.config.tip_frame, *self.config.gripper.links):
            if name not in links:
                raise UnknownNameError(name, links, f"link of robot '{self.config.name}'")
        for name in self.joint_names:
            if self.model.joints[self.model.getJointId(name)].nq != 1:
                raise InvalidValueError(
                    f"robot '{self.config.name}': joint '{name}' must have one degree of freedom"
                )

    def _position_limits(self, text: str) -> tuple[FloatArray, FloatArray]:
        lower = np.array([self.model.lowerPositionLimit[i] for i in self._indices])
        upper = np.array([self.model.upperPositionLimit[i] for i in self._indices])
        soft = joint_soft_limits(text)
        for j, name in enumerate(self.joint_names):
            low, high = soft.get(name, (-np.inf, np.inf))
            lower[j], upper[j] = max(lower[j], low), min(upper[j], high)
            if not lower[j] < upper[j]:
                raise InvalidValueError(f"joint '{name}': its limits [{lower[j]}, {upper[j]}] leave no room")
        return read_only(lower, "lower limits", (None,)), read_only(upper, "upper limits", (None,))

    def _link_of(self, item: Any) -> str:
        return str(self.model.frames[item.parentFrame].name)

    def _allowed_pairs(self, parents: dict[str, str]) -> dict[tuple[str, str], str]:
        reasons: dict[tuple[str, str], str] = {}
        links = self.link_names
        with_body = set(links)
        for link in links:
            parent = parents.get(link)
            while parent is not None and parent not in with_body:
                parent = parents.get(parent)
            if parent is not None:
                reasons[_pair(link, parent)] = "Adjacent"
        self._allow_rigid(reasons)
        gripper = sorted(self.gripper_links & with_body)
        for i, first in enumerate(gripper):
            for second in gripper[i + 1 :]:
                reasons.setdefault(_pair(first, second), "Gripper")
        for first, second in self.config.allowed_collisions:
            for name in (first, second):
                if not self.model.existFrame(name):
                    raise UnknownNameError(name, links, f"link of robot '{self.config.name}'")
            reasons.setdefault(_pair(first, second), "User")
        self._allow_always(reasons)
        return reasons

    def _never_touching(self) -> frozenset[tuple[str, str]]:
        """Pairs of links (sorted) that are proven not to touch within the joint limits."""
        links, bodies = self.link_names, self.geometry.geometryObjects
        of_link = {
            link: [item for item, owner in zip(bodies, self.geometry_links, strict=True) if owner == link]
            for link in links
        }
        pairs = [(a, b) for i, a in enumerate(links) for b in links[i + 1 :]]
        return frozenset(
            _pair(a, b)
            for a, b in pairs
            if _pair(a, b) not in self.allowed_reasons
            and all(never_touch(self.model, first, second) for first in of_link[a] for second in of_link[b])
        )

    def _collision_matrix(self) -> BoolArray:
        """(G, G) upper-triangular: which of the robot's G collision bodies are checked against each other."""
        links, skipped = self.geometry_links, self.never_touching | self.allowed_pairs
        matrix = np.zeros((len(links), len(links)), dtype=bool)
        for i, first in enumerate(links):
            for j in range(i + 1, len(links)):
                matrix[i, j] = first != links[j] and _pair(first, links[j]) not in skipped
        return matrix

    def _allow_rigid(self, reasons: dict[tuple[str, str], str]) -> None:
        joint_of = {
            link: item.parentJoint
            for link, item in zip(self.geometry_links, self.geometry.geometryObjects, strict=True)
        }
        links = list(joint_of)
        for i, first in enumerate(links):
            for second in links[i + 1 :]:
                if joint_of[first] == joint_of[second]:
                    reasons.setdefault(_pair(first, second), "Adjacent")

    def _allow_always(self, reasons: dict[tuple[str, str], str]) -> None:
        """Allow the pairs that touch in every one of many random positions: modelling errors, not collisions."""
        geometry = self.geometry.clone()
        geometry.removeAllCollisionPairs()
        links, count = self.geometry_links, len(self.geometry_links)
        matrix = np.array(
            [
                [
                    j > i and links[i] != links[j] and _pair(links[i], links[j]) not in reasons
                    for j in range(count)
                ]
                for i in range(count)
            ]
        )
        geometry.setCollisionPairs(matrix)
        if not len(geometry.collisionPairs):
            return
        data, result = self.model.createData(), geometry.createData()
        random = np.random.default_rng(0).uniform(self.lower, self.upper, (_SAMPLES, self.dimension))
        hits = np.zeros(len(geometry.collisionPairs), dtype=int)
        for q in self.full(random, self.config.gripper.max_width_m):
            pin.computeCollisions(self.model, data, geometry, result, q, False)
            hits += [item.isCollision() for item in result.collisionResults]
        for pair, count_hit in zip(geometry.collisionPairs, hits, strict=True):
            if count_hit >= 0.99 * _SAMPLES:
                reasons[_pair(links[pair.first], links[pair.second])] = "Always"


def _slice_or_list(indices: list[int]) -> slice | list[int]:
    """Consecutive indices as a slice, which NumPy assigns to faster."""
    run = list(range(indices[0], indices[0] + len(indices)))
    return slice(run[0], run[-1] + 1) if indices == run else indices


def _pair(first: str, second: str) -> tuple[str, str]:
    return (first, second) if first < second else (second, first)


def _load(config: RobotConfig, urdf: str | None) -> tuple[str, Path | None]:
    folder: Path | None = None
    if config.urdf:
        path = resolve_uri(config.urdf) if urdf is None else _maybe(config.urdf)
        folder = path.parent if path else None
        if urdf is None and path is not None:
            urdf = path.read_text()
    if urdf is None:
        raise InvalidValueError(
            f"robot '{config.name}': no URDF: give its text, or set 'urdf' in the robot's YAML"
        )
    return urdf, folder


def _maybe(uri: str) -> Path | None:
    try:
        return resolve_uri(uri)
    except InvalidValueError:
        return None


def _convex(geometry: Any) -> Any:
    """Replace every mesh by its convex hull: fast, and never smaller than the mesh."""
    for item in geometry.geometryObjects:
        if isinstance(item.geometry, coal.BVHModelBase):
            item.geometry.buildConvexHull(True, "Qt")
            item.geometry = item.geometry.convex
    return geometry
