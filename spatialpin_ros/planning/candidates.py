# SPDX-License-Identifier: Apache-2.0
"""Candidates for one pick and place: grasps and place poses whose inverse kinematics and straight motions hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import numpy as np

from spatialpin_ros.arrays import BoolArray, FloatArray
from spatialpin_ros.geometry import Pose
from spatialpin_ros.plan import CandidateFailure, FailureReason
from spatialpin_ros.planning import ik
from spatialpin_ros.planning.cartesian import Line, straight_lines
from spatialpin_ros.planning.collision_world import CollisionWorld, densify
from spatialpin_ros.planning.grasps import Grasp
from spatialpin_ros.planning.obstacles import Obstacle
from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.place import PlacePose
from spatialpin_ros.planning.robot_model import RobotModel
from spatialpin_ros.planning.rrt_star import never
from spatialpin_ros.planning.upright import Upright
from spatialpin_ros.scene import SceneObject

_UP = np.array([0.0, 0.0, 1.0])
_SHORTER = (1.0, 0.5)
_BATCH, _TOGETHER, _MOST_PICKS, _BRANCHES, _FEW_SEEDS = 8, 3, 6, 2, 6


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A grasp, with a place pose when there is one, and the straight motions around both; (N, D) paths.

    Args:
        approach: from the pre-grasp to the grasp; lift: from the grasp upwards.
        lower: from above the place to the place; retreat: from the place back along the approach; None for a pick.
        padding_m: distance to neighbours that its straight motions keep.
        cost: estimate of the joint-space way still to be planned, less what the scores are worth [rad].
    """

    grasp: Grasp
    approach: FloatArray
    lift: FloatArray
    padding_m: float
    place: PlacePose | None = None
    lower: FloatArray | None = None
    retreat: FloatArray | None = None
    cost: float = 0.0

    @property
    def name(self) -> str:
        return self.grasp.name if self.place is None else f"{self.grasp.name}; {self.place.name}"


@dataclass(slots=True, eq=False)
class Failures:
    """What fell, where and why; a reason that takes work to word is worded only when somebody reads it."""

    entries: list[tuple[str, str, FailureReason, str | Callable[[], str]]] = field(default_factory=list)

    def add(self, candidate: str, stage: str, reason: FailureReason, detail: str | Callable[[], str]) -> None:
        self.entries.append((candidate, stage, reason, detail))

    def listed(self) -> tuple[CandidateFailure, ...]:
        return tuple(
            CandidateFailure(name, stage, reason, detail if isinstance(detail, str) else detail())
            for name, stage, reason, detail in self.entries
        )


_ORDER = ("", "grasp", "approach", "lift", "place", "retreat", "transfer", "home")


def furthest(items: Sequence[CandidateFailure]) -> CandidateFailure | None:
    """The failure of the candidate that came furthest, the most common reason there first."""
    if not items:
        return None
    stage = max((item.stage for item in items), key=_ORDER.index)
    there = [item for item in items if item.stage == stage]
    reasons = [item.reason for item in there]
    common = max(dict.fromkeys(reasons), key=reasons.count)
    return next(item for item in there if item.reason == common)


def in_the_way(items: Sequence[CandidateFailure], names: Sequence[str]) -> list[tuple[str, int]]:
    """Which of some objects the tries touched, with the number of tries, most first: what to clear away."""
    counts = dict.fromkeys(names, 0)
    for item in items:
        pairs = [pair.partition(" touches ") for pair in item.detail.split(", ")]
        for name in {side for first, _, second in pairs for side in (first, second)} & counts.keys():
            counts[name] += 1
    return sorted(((name, count) for name, count in counts.items() if count), key=lambda pair: -pair[1])


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
        stopped: asked between the steps; True ends the search.
        reachable: candidates found so far whose every position is reached and free of the neighbours.
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
    stopped: Callable[[], bool] = never
    reachable: list[Candidate] = field(default_factory=list, init=False)

    def search(self, grasps: Iterable[Grasp], places: Sequence[PlacePose] | None) -> Iterator[Candidate]:
        """Candidates in the order in which to try them; each is tested only when it is asked for.

        Grasps are taken in batches, and of each batch the few nearest at a time go on to the place poses. A
        batch that leads nowhere gets further rounds: nearer to the neighbours, then with more seeds for the
        inverse kinematics.
        """
        source = iter(grasps)
        while batch := list(islice(source, _BATCH)):
            for padding_m, options in self._rounds():
                found = False
                picks = sorted(self._picks(batch, padding_m, options), key=lambda pick: pick.cost)[
                    :_MOST_PICKS
                ]
                self.reachable += picks if places is None else ()
                for first in range(0, len(picks), _TOGETHER):
                    if self.stopped():
                        return
                    lifted = self._lifts(picks[first : first + _TOGETHER])
                    for candidate in lifted if places is None else self._with_places(lifted, places):
                        found = True
                        yield candidate
                if found:
                    break

    def _rounds(self) -> list[tuple[float, ik.IkOptions]]:
        preferred, accepted = self.options.neighbour_padding_m
        thorough = self.options.ik
        quick = replace(thorough, seeds=min(_FEW_SEEDS, thorough.seeds), insist=False)
        return [(preferred, quick), (accepted, thorough)]

    def touch_world(self, opening_m: float, padding_m: float) -> CollisionWorld:
        """The world for straight motions of the open, empty hand."""
        return self.world.derive(
            obstacles=self.obstacles, width_m=opening_m, padding_m=padding_m, near=self._near()
        )

    def held_world(self, grasp: Grasp, padding_m: float, allowed: str = "") -> CollisionWorld:
        """The world with the object in the hand; it may touch `allowed`, and the hand come near to that."""
        width = min(grasp.width_m, self.robot.config.gripper.max_width_m)
        return self.world.derive(obstacles=self.obstacles).attach(
            self.item.id,
            grasp.object_T_tcp.inverse(),
            width_m=width,
            padding_m=padding_m,
            upright=self._upright(grasp),
            allowed=[(self.item.id, allowed)] if allowed else (),
            near={allowed: self.options.touch_padding_m} if allowed else {},
        )

    def _upright(self, grasp: Grasp) -> Upright | None:
        if not self.options.keep_upright:
            return None
        return Upright.as_grasped(grasp.base_T_tcp, self.options.upright_tolerance_rad)

    def placed_world(self, object_pose: Pose, opening_m: float, padding_m: float) -> CollisionWorld:
        """The world after release, the object standing at its place."""
        moved = tuple(
            body.moved_to(object_pose) if body.name == self.item.id else body for body in self.obstacles
        )
        return self.world.derive(obstacles=moved, width_m=opening_m, padding_m=padding_m, near=self._near())

    def _near(self) -> dict[str, float]:
        return dict.fromkeys((self.item.id, self.support, self.target), self.options.touch_padding_m)

    def _picks(self, grasps: list[Grasp], padding_m: float, options: ik.IkOptions) -> list[Candidate]:
        poses = [grasp.base_T_tcp for grasp in grasps]
        solutions = ik.solve(self.robot, poses, self.start, self.rng, options)
        solved = {solution.index for solution in solutions}
        for index, grasp in enumerate(grasps):
            if index not in solved and options.seeds == self.options.ik.seeds:
                self.failures.add(
                    grasp.name, "grasp", "ik", f"no joint positions reach {_where(grasp.base_T_tcp)}"
                )
        found: list[Candidate] = []
        for opening in sorted({grasp.opening_m for grasp in grasps}):
            mine = [solution for solution in solutions if grasps[solution.index].opening_m == opening]
            found += self._approaches(self.touch_world(opening, padding_m), grasps, mine) if mine else []
        return found

    def _approaches(
        self, world: CollisionWorld, grasps: list[Grasp], solutions: list[ik.IkSolution]
    ) -> list[Candidate]:
        valid = world.valid_many(np.stack([solution.q for solution in solutions]))
        free: list[ik.IkSolution] = []
        for solution, ok in zip(solutions, valid, strict=True):
            if not ok:
                why = partial(world.explain, solution.q)
                self.failures.add(grasps[solution.index].name, "grasp", "goal_in_collision", why)
            elif sum(other.index == solution.index for other in free) < _BRANCHES:
                free.append(solution)
        if not free:
            return []
        q = np.stack([solution.q for solution in free])
        back = np.stack([-grasps[solution.index].base_T_tcp.axes[:, 2] for solution in free])
        found: list[Candidate] = []
        lines = self._lines(world, q, back, self.options.approach_m)
        for solution, line in zip(free, lines, strict=True):
            grasp = grasps[solution.index]
            if not line:
                self._fell(grasp.name, "approach", line)
                continue
            cost = float(np.linalg.norm(line.path[-1] - self.start)) - grasp.score
            found.append(Candidate(grasp, line.path[::-1].copy(), q[:0], world.padding_m, cost=cost))
        return found

    def _lifts(self, picks: list[Candidate]) -> list[Candidate]:
        found: list[Candidate] = []
        for pick in picks:
            world = self.held_world(pick.grasp, pick.padding_m, self.support)
            line = self._upwards(world, pick.approach[::-1], self.options.approach_m, self.options.lift_m)
            if line:
                found.append(replace(pick, lift=line.path))
            else:
                self._fell(pick.name, "lift", line)
        return found

    def _upwards(self, world: CollisionWorld, known: FloatArray, known_m: float, length_m: float) -> Line:
        """A straight motion up from the first of some waypoints; those serve when they go just there."""
        _, ends = self.robot.tcp_batch(known[[0, -1]])
        if known_m == length_m and np.allclose(ends[1] - ends[0], _UP * length_m, atol=1e-4):
            return _checked(world, Line(known.copy()))
        return self._lines(world, known[:1], _UP[None], length_m)[0]

    def _with_places(self, picks: list[Candidate], places: Sequence[PlacePose]) -> Iterator[Candidate]:
        for first in range(0, len(places), _BATCH):
            if not picks or self.stopped():
                return
            for candidate in self._placed(picks, places[first : first + _BATCH]):
                lowered = self._lowered(candidate)
                if lowered is not None:
                    yield lowered

    def _placed(self, picks: list[Candidate], places: Sequence[PlacePose]) -> list[Candidate]:
        """Every pick with every place that it reaches, nearest first."""
        pairs = [(pick, place) for pick in picks for place in places]
        goals = [place.object_pose @ pick.grasp.object_T_tcp for pick, place in pairs]
        rotations, positions = ik.pose_arrays(goals)
        seeds = np.stack([self._turned(pick, place) for pick, place in pairs])
        q, reached = ik.solve_batch(self.robot, rotations, positions, seeds, self.options.ik)
        if not reached.any():
            goals = goals[:_TOGETHER]
            for solution in ik.solve(self.robot, goals, picks[0].lift[-1], self.rng, self.options.ik):
                if not reached[solution.index]:
                    q[solution.index], reached[solution.index] = solution.q, True
        found: list[Candidate] = []
        free = self._clear(pairs, q, reached)
        for (pick, place), joints, ok, clear in zip(pairs, q, reached, free, strict=True):
            if not ok:
                why = f"no joint positions reach {_where(place.object_pose)}"
                self.failures.add(f"{pick.name}; {place.name}", "place", "ik", why)
            elif clear:
                cost = pick.cost + float(np.linalg.norm(joints - pick.lift[-1])) - place.score
                found.append(replace(pick, place=place, lower=joints[None], cost=cost))
        self.reachable += found
        return sorted(found, key=lambda candidate: candidate.cost)

    def _clear(
        self, pairs: list[tuple[Candidate, PlacePose]], q: FloatArray, reached: BoolArray
    ) -> BoolArray:
        """Which positions at the place touch nothing, the object itself left out: what falls here falls cheaply."""
        rest = tuple(body for body in self.obstacles if body.name != self.item.id)
        clear = reached.copy()
        ways = [(pick.grasp.opening_m, pick.padding_m) for pick, _ in pairs]
        for opening_m, padding_m in dict.fromkeys(ways):
            world = self.world.derive(
                obstacles=rest, width_m=opening_m, padding_m=padding_m, near=self._near()
            )
            mine = np.flatnonzero([way == (opening_m, padding_m) for way in ways] & reached)
            clear[mine] = world.valid_many(q[mine])
            for index in mine[~clear[mine]]:
                pick, place = pairs[index]
                why = partial(world.explain, q[index])
                self.failures.add(f"{pick.name}; {place.name}", "place", "goal_in_collision", why)
        return clear

    def _turned(self, pick: Candidate, place: PlacePose) -> FloatArray:
        """Lifted positions with the first joint turned towards the place: a near guess for most arms."""
        seed = pick.lift[-1].copy()
        here, there = self.item.centre, place.object_pose.position
        swing = float(np.arctan2(there[1], there[0]) - np.arctan2(here[1], here[0]))
        seed[0] += (swing + np.pi) % (2.0 * np.pi) - np.pi
        return np.asarray(np.clip(seed, self.robot.lower, self.robot.upper))

    def _lowered(self, candidate: Candidate) -> Candidate | None:
        """Add the straight motions down to the place and back from it, or note why they fail."""
        if candidate.place is None or candidate.lower is None:
            return None
        joints = candidate.lower[-1]
        released = self.placed_world(
            candidate.place.object_pose, candidate.grasp.opening_m, candidate.padding_m
        )
        if not released.valid(joints):
            why = partial(released.explain, joints)
            self.failures.add(candidate.name, "place", "goal_in_collision", why)
            return None
        rotations, _ = self.robot.tcp_batch(joints[None])
        retreat = self._lines(released, joints[None], -rotations[:, :, 2], self.options.retreat_m)[0]
        if not retreat:
            self._fell(candidate.name, "retreat", retreat)
            return None
        world = self.held_world(candidate.grasp, candidate.padding_m, self.target)
        above = self._upwards(world, retreat.path, self.options.retreat_m, self.options.lower_m)
        if not above:
            self._fell(candidate.name, "place", above)
            return None
        return replace(candidate, lower=above.path[::-1].copy(), retreat=retreat.path)

    def _lines(
        self, world: CollisionWorld, q: FloatArray, directions: FloatArray, length_m: float
    ) -> list[Line]:
        """Free straight motions from each position; half the length where the whole one does not work."""
        lines = [Line(q[:0])] * len(q)
        missing = list(range(len(q)))
        for share in _SHORTER:
            ahead = directions[missing] * length_m * share
            tried = straight_lines(self.robot, q[missing], ahead, self.options.line)
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
    dense = densify(line.path, world.step_rad)
    bad = world.first_invalid(dense)
    return Line(line.path[:0], world.explain(dense[bad]) if bad is not None else "something touches the arm")


def _where(pose: Pose) -> str:
    x, y, z = pose.position
    return f"({x:.3f}, {y:.3f}, {z:.3f}) m in this orientation"
