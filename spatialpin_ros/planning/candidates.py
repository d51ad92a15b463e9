# SPDX-License-Identifier: Apache-2.0
"""Candidates for one pick and place: grasps and place poses whose inverse kinematics and straight motions hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from spatialpin_ros.arrays import FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import CandidateFailure, FailureReason
from spatialpin_ros.planning import ik
from spatialpin_ros.planning.cartesian import Line, straight_lines
from spatialpin_ros.planning.collision_world import CollisionWorld
from spatialpin_ros.planning.grasps import Grasp
from spatialpin_ros.planning.obstacles import Obstacle
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.place import PlacePose
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.scene import SceneObject

_UP = np.array([0.0, 0.0, 1.0])
_SHORTER = (1.0, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A grasp, with a place pose when there is one, and the straight motions around both; (N, D) paths.

    Args:
        approach: from the pre-grasp to the grasp; lift: from the grasp upwards.
        lower: from above the place to the place; retreat: from the place back along the approach; None for a pick.
        cost: estimate of the joint-space way still to be planned, less what the scores are worth [rad].
    """

    grasp: Grasp
    approach: FloatArray
    lift: FloatArray
    place: PlacePose | None = None
    lower: FloatArray | None = None
    retreat: FloatArray | None = None
    cost: float = 0.0

    @property
    def name(self) -> str:
        return self.grasp.name if self.place is None else f"{self.grasp.name}; {self.place.name}"


@dataclass(slots=True, eq=False)
class Failures:
    """What fell, where and why; also answers which stage came furthest."""

    items: list[CandidateFailure] = field(default_factory=list)

    def add(self, candidate: str, stage: str, reason: FailureReason, detail: str) -> None:
        self.items.append(CandidateFailure(candidate, stage, reason, detail))


_ORDER = ("", "grasp", "approach", "lift", "place", "retreat", "transfer", "home")


def furthest(items: list[CandidateFailure]) -> CandidateFailure | None:
    """The failure of the candidate that came furthest, the most common reason there first."""
    if not items:
        return None
    stage = max((item.stage for item in items), key=_ORDER.index)
    there = [item for item in items if item.stage == stage]
    reasons = [item.reason for item in there]
    common = max(dict.fromkeys(reasons), key=reasons.count)
    return next(item for item in there if item.reason == common)


@dataclass(slots=True, eq=False)
class CandidateSearch:
    """Finds the candidates for one object; cheap tests come first, so that a bad grasp falls early.

    Args:
        obstacles: the world as it is when the object is to be taken, the object among them.
        item: the object.
        support, target: names of what carries it before and after; target "" for a pick alone.
        start: (D,) positions before the approach.
        failures: collects what falls.
        world: of the same obstacles, to count into.
    """

    robot: RobotModel
    obstacles: tuple[Obstacle, ...]
    item: SceneObject
    support: str
    target: str
    start: FloatArray
    options: PlanOptions
    rng: np.random.Generator
    failures: Failures
    world: CollisionWorld
    stopped: Callable[[], bool] = lambda: False

    def search(self, grasps: list[Grasp], places: list[PlacePose] | None) -> Iterator[list[Candidate]]:
        """Candidates of one tier of grasps after the other, cheapest first within a tier."""
        for tier in sorted({grasp.tier for grasp in grasps}):
            group = [grasp for grasp in grasps if grasp.tier == tier]
            for first in range(0, len(group), 8):
                if self.stopped():
                    return
                picks = self._picks(group[first : first + 8])
                found = picks if places is None else self._with_places(picks, places)
                if found:
                    yield sorted(found, key=lambda candidate: candidate.cost)

    def touch_world(self, opening_m: float) -> CollisionWorld:
        """The world for straight motions of the open, empty hand."""
        return self.world.derive(
            obstacles=self.obstacles, width_m=opening_m, padding_m=self.options.touch_padding_m
        )

    def held_world(self, grasp: Grasp, padding_m: float, allowed: tuple[str, ...] = ()) -> CollisionWorld:
        """The world with the object in the hand; it may touch the named supports."""
        pairs = [(self.item.id, name) for name in allowed]
        width = min(grasp.width_m, self.robot.config.gripper.max_width_m)
        return self.world.derive(obstacles=self.obstacles, padding_m=padding_m).attach(
            self.item.id, grasp.object_T_tcp.inverse(), width_m=width, allowed=pairs
        )

    def placed_world(self, object_pose: Pose, opening_m: float) -> CollisionWorld:
        """The world after release, the object standing at its place."""
        moved = tuple(
            body.moved_to(object_pose) if body.name == self.item.id else body for body in self.obstacles
        )
        return self.world.derive(obstacles=moved, width_m=opening_m, padding_m=self.options.touch_padding_m)

    def _picks(self, grasps: list[Grasp]) -> list[Candidate]:
        solutions = ik.solve(
            self.robot, [grasp.base_T_tcp for grasp in grasps], self.start, self.rng, self.options.ik
        )
        solved = {solution.index for solution in solutions}
        for index, grasp in enumerate(grasps):
            if index not in solved:
                self.failures.add(
                    grasp.name, "grasp", "ik", f"no joint positions reach {_where(grasp.base_T_tcp)}"
                )
        found: list[Candidate] = []
        for opening in sorted({grasp.opening_m for grasp in grasps}):
            world = self.touch_world(opening)
            mine = [solution for solution in solutions if grasps[solution.index].opening_m == opening]
            found += self._approaches(world, grasps, mine)
        return self._lifts(found)

    def _approaches(
        self, world: CollisionWorld, grasps: list[Grasp], solutions: list[ik.IkSolution]
    ) -> list[Candidate]:
        free: list[ik.IkSolution] = []
        for solution in solutions:
            if world.valid(solution.q):
                free.append(solution)
            else:
                self.failures.add(
                    grasps[solution.index].name, "grasp", "goal_in_collision", world.explain(solution.q)
                )
        if not free:
            return []
        q = np.stack([solution.q for solution in free])
        back = np.stack([-grasps[solution.index].base_T_tcp.axes[:, 2] for solution in free])
        found: list[Candidate] = []
        for solution, line in zip(free, self._lines(world, q, back, self.options.approach_m), strict=True):
            grasp = grasps[solution.index]
            if not line:
                self._fell(grasp.name, "approach", line)
                continue
            cost = float(np.linalg.norm(line.path[-1] - self.start)) - grasp.score
            found.append(Candidate(grasp, line.path[::-1].copy(), np.zeros((0, q.shape[1])), cost=cost))
        return found

    def _lifts(self, candidates: list[Candidate]) -> list[Candidate]:
        if not candidates:
            return []
        found: list[Candidate] = []
        for grasp in dict.fromkeys(candidate.grasp for candidate in candidates):
            mine = [candidate for candidate in candidates if candidate.grasp is grasp]
            q = np.stack([candidate.approach[-1] for candidate in mine])
            world = self.held_world(grasp, self.options.touch_padding_m, (self.support,))
            for candidate, line in zip(
                mine, self._lines(world, q, np.tile(_UP, (len(q), 1)), self.options.lift_m), strict=True
            ):
                if line:
                    found.append(replace(candidate, lift=line.path))
                else:
                    self._fell(grasp.name, "lift", line)
        return found

    def _with_places(self, picks: list[Candidate], places: list[PlacePose]) -> list[Candidate]:
        found: list[Candidate] = []
        picks = sorted(picks, key=lambda candidate: candidate.cost)[:8]
        for first in range(0, len(places), 8):
            for tier in (picks[:4], picks[4:]):
                if tier and not self.stopped():
                    found += self._placed(tier, places[first : first + 8])
                if len(found) >= 3:
                    return found
        return found

    def _placed(self, picks: list[Candidate], places: list[PlacePose]) -> list[Candidate]:
        """Reach every place with every pick, starting the iteration from the lifted positions."""
        pairs = [(pick, place) for pick in picks for place in places]
        goals = [place.object_pose @ pick.grasp.object_T_tcp for pick, place in pairs]
        rotations, positions = ik.pose_arrays(goals)
        seeds = np.stack([self._turned(pick, place) for pick, place in pairs])
        q, reached = ik.solve_batch(self.robot, rotations, positions, seeds, self.options.ik)
        found: list[Candidate] = []
        for (pick, place), joints, ok in zip(pairs, q, reached, strict=True):
            if not ok:
                self.failures.add(
                    f"{pick.name}; {place.name}",
                    "place",
                    "ik",
                    f"no joint positions reach {_where(place.object_pose)}",
                )
                continue
            found.append(
                replace(
                    pick,
                    place=place,
                    lower=joints[None],
                    cost=pick.cost + float(np.linalg.norm(joints - pick.lift[-1])) - place.score,
                )
            )
        found.sort(key=lambda candidate: candidate.cost)
        return self._place_lines(found[:6])

    def _turned(self, pick: Candidate, place: PlacePose) -> FloatArray:
        """Lifted positions with the first and last joint turned towards the place: a near guess for any arm."""
        seed = pick.lift[-1].copy()
        here, there = self.item.centre, place.object_pose.position
        swing = float(np.arctan2(there[1], there[0]) - np.arctan2(here[1], here[0]))
        seed[0] += (swing + np.pi) % (2.0 * np.pi) - np.pi
        return np.asarray(np.clip(seed, self.robot.lower, self.robot.upper))

    def _place_lines(self, candidates: list[Candidate]) -> list[Candidate]:
        found: list[Candidate] = []
        for grasp in dict.fromkeys(candidate.grasp for candidate in candidates):
            mine = [candidate for candidate in candidates if candidate.grasp is grasp]
            q = np.stack([candidate.lower[0] for candidate in mine if candidate.lower is not None])
            world = self.held_world(grasp, self.options.touch_padding_m, (self.target,))
            above = self._lines(world, q, np.tile(_UP, (len(q), 1)), self.options.lower_m)
            for candidate, line in zip(mine, above, strict=True):
                if not line:
                    self._fell(candidate.name, "place", line)
                    continue
                lowered = replace(candidate, lower=line.path[::-1].copy())
                retreated = self._retreat(lowered)
                found += [retreated] if retreated is not None else []
        return found

    def _retreat(self, candidate: Candidate) -> Candidate | None:
        if candidate.place is None or candidate.lower is None:
            return None
        world = self.placed_world(candidate.place.object_pose, candidate.grasp.opening_m)
        joints = candidate.lower[-1]
        rotations, _ = self.robot.tcp_batch(joints[None])
        line = self._lines(world, joints[None], -rotations[:, :, 2], self.options.retreat_m)[0]
        if not line:
            self._fell(candidate.name, "retreat", line)
            return None
        home = float(np.linalg.norm(line.path[-1] - self.robot.config.home))
        return replace(candidate, retreat=line.path, cost=candidate.cost + 0.5 * home)

    def _lines(
        self, world: CollisionWorld, q: FloatArray, directions: FloatArray, length_m: float
    ) -> list[Line]:
        """Free straight motions from each position; half the length where the whole one does not work."""
        lines = [Line(q[:0])] * len(q)
        missing = list(range(len(q)))
        for share in _SHORTER:
            tried = straight_lines(
                self.robot, q[missing], directions[missing] * length_m * share, self.options.line
            )
            for index, line in zip(missing, tried, strict=True):
                lines[index] = _checked(world, line)
            missing = [index for index in missing if not lines[index]]
            if not missing:
                break
        return lines

    def _fell(self, name: str, stage: str, line: Line) -> None:
        reason: FailureReason = "goal_in_collision" if " touches " in line.failure else "ik"
        self.failures.add(name, stage, reason, line.failure)


def _checked(world: CollisionWorld, line: Line) -> Line:
    if not line or world.path(line.path):
        return line
    bad = world.first_invalid(line.path)
    why = (
        world.explain(line.path[bad])
        if bad is not None
        else "between two waypoints something touches the arm"
    )
    return Line(line.path[:0], why)


def _where(pose: Pose) -> str:
    x, y, z = pose.position
    return f"({x:.3f}, {y:.3f}, {z:.3f}) m in this orientation"
