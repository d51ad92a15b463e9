# SPDX-License-Identifier: Apache-2.0
"""Scene, Task, Plan and Outcome: validation and lossless JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spatialpin_ros.camera import ImageMask, Intrinsics
from spatialpin_ros.errors import AmbiguousNameError, InvalidValueError, UnknownNameError
from spatialpin_ros.geometry import OrientedBox, Pose, TriangleMesh
from spatialpin_ros.outcome import Outcome
from spatialpin_ros.plan import CandidateFailure, Plan, PlanFailure, PlanStage, Trajectory
from spatialpin_ros.scene import Scene, SceneObject, SupportSurface
from spatialpin_ros.serialization import load, save
from spatialpin_ros.task import Task, TaskStep

TABLE = SupportSurface("table", Pose(), np.array([[0.2, -0.4], [0.8, -0.4], [0.8, 0.4], [0.2, 0.4]]))


def thing(key: str, name: str, supported_by: str = "table", **extra: object) -> SceneObject:
    box = OrientedBox(Pose.from_yaw((0.5, 0.1, 0.025), 0.3), np.array([0.05, 0.05, 0.05]))
    values: dict[str, object] = {"color_rgb": np.array([200, 30, 30], dtype=np.uint8), **extra}
    return SceneObject(key, name, "cube", "red", shape="box", box=box, supported_by=supported_by, **values)  # type: ignore[arg-type]


def scene(*objects: SceneObject) -> Scene:
    camera = Pose.looking_at((1.25, 0.0, 0.7), (0.45, 0.0, 0.0))
    return Scene(
        (TABLE,), objects, camera, Intrinsics(640, 480, 600.0, 600.0, 320.0, 239.0), 12.5, "panda_link0"
    )


def through_json(document: dict[str, object]) -> dict[str, object]:
    return json.loads(json.dumps(document, allow_nan=False))  # type: ignore[no-any-return]


def test_scene_round_trip_keeps_clouds_masks_and_meshes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mesh = TriangleMesh(rng.normal(size=(4, 3)), np.array([[0, 1, 2], [0, 2, 3]], dtype=np.int32))
    item = thing(
        "o1",
        "red cube",
        points=rng.normal(size=(20, 3)).astype(np.float32),
        colors=rng.integers(0, 255, (20, 3), dtype=np.uint8),
        mask=ImageMask(rng.random((5, 7)) > 0.5, (3, 4)),
        mesh=mesh,
    )
    original = scene(item, thing("o2", "blue cube", supported_by="o1"))
    copy = load(Scene, save(original, tmp_path / "scene.json"))
    assert through_json(copy.to_dict()) == through_json(original.to_dict())
    assert np.array_equal(copy.object("o1").points, item.points)
    assert copy.carried_by("o1")[0].name == "blue cube"


def test_scene_refuses_duplicates_and_unknown_supporters() -> None:
    with pytest.raises(InvalidValueError, match="unique"):
        scene(thing("o1", "red cube"), thing("o2", "red cube"))
    with pytest.raises(InvalidValueError, match="supporter 'o9'"):
        scene(thing("o1", "red cube", supported_by="o9"))
    with pytest.raises(InvalidValueError, match="itself"):
        thing("o1", "red cube", supported_by="o1")


def test_names_that_do_not_exist_list_what_does() -> None:
    with pytest.raises(UnknownNameError, match="red cube, blue cube"):
        scene(thing("o1", "red cube"), thing("o2", "blue cube")).named("green cube")
    with pytest.raises(AmbiguousNameError):
        scene(thing("o1", "red cube"), thing("o2", "Red cube")).named("RED CUBE")


def stack_task() -> Task:
    return Task(
        "t1", "Stack it.", (TaskStep("pick", "o1"), TaskStep("place_on", "o1", "o2", drop_height_m=0.002))
    )


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ((TaskStep("place_on", "o1", "o2"),), "without having picked"),
        ((TaskStep("pick", "o1"), TaskStep("pick", "o2")), "while holding"),
        ((), "at least one step"),
    ],
)
def test_tasks_that_make_no_sense_are_refused(steps: tuple[TaskStep, ...], word: str) -> None:
    with pytest.raises(InvalidValueError, match=word):
        Task("t", "x", steps)


def test_task_steps_are_validated() -> None:
    with pytest.raises(InvalidValueError, match="itself"):
        TaskStep("place_on", "o1", "o1")
    with pytest.raises(InvalidValueError, match="area is needed"):
        TaskStep("place_in_area", "o1", "table")
    with pytest.raises(InvalidValueError, match="target_id is needed"):
        TaskStep("place_on", "o1")


def trajectory(start: float, end: float) -> Trajectory:
    positions = np.linspace([start, start], [end, end], 5)
    return Trajectory(("a", "b"), np.linspace(0, 1, 5), positions, np.zeros((5, 2)), np.zeros((5, 2)))


def plan() -> Plan:
    stages = (
        PlanStage("approach", 0, trajectory(0.0, 1.0), tcp_waypoints=np.ones((2, 7))),
        PlanStage("grasp", 0, gripper_width_m=0.03),
        PlanStage("lift", 0, trajectory(1.0, 1.2), holding="o1", linear=True),
    )
    return Plan(
        stack_task(),
        stages,
        ("a", "b"),
        "base",
        "tcp",
        {"o1": Pose()},
        {"o1": Pose()},
        3.0,
        {"planning_s": 0.1},
    )


def test_plan_round_trip_and_totals(tmp_path: Path) -> None:
    original = plan()
    copy = load(Plan, save(original, tmp_path / "plan.json"))
    assert through_json(copy.to_dict()) == through_json(original.to_dict())
    assert copy.duration_s == pytest.approx(2.0)
    assert copy.waypoints.shape == (2, 7)
    assert np.array_equal(copy.start_positions, [0.0, 0.0])


def test_plans_with_jumps_or_without_motion_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="does not start where"):
        Plan(
            stack_task(),
            (PlanStage("lift", 0, trajectory(0, 1)), PlanStage("home", 1, trajectory(0, 1))),
            ("a", "b"),
            "b",
            "t",
        )
    with pytest.raises(InvalidValueError, match="no motion"):
        Plan(stack_task(), (PlanStage("grasp", 0, gripper_width_m=0.0),), ("a", "b"), "b", "t")
    with pytest.raises(InvalidValueError, match="not both"):
        PlanStage("grasp", 0, trajectory(0, 1), gripper_width_m=0.1)
    with pytest.raises(InvalidValueError, match="strictly increasing"):
        Trajectory(("a",), np.array([0.0, 0.0]), np.zeros((2, 1)), np.zeros((2, 1)), np.zeros((2, 1)))


def test_failures_and_outcomes_round_trip() -> None:
    failure = PlanFailure(
        "ik", "lift", "out of reach", (CandidateFailure("grasp 1", "lift", "ik", "0.95 m"),), 0.2
    )
    assert PlanFailure.from_dict(through_json(failure.to_dict())) == failure
    outcome = Outcome("t1", "succeeded", "stacked", measurements={"offset_m": 0.002})
    assert Outcome.from_dict(through_json(outcome.to_dict())) == outcome


def test_an_outcome_never_hides_a_failure() -> None:
    with pytest.raises(InvalidValueError, match="has a reason"):
        Outcome("t1", "failed", "none")
    with pytest.raises(InvalidValueError, match="has a reason"):
        Outcome("t1", "succeeded", "stacked", reason="dropped")


def test_unreadable_files_say_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "scene.json"
    broken.write_text("{")
    with pytest.raises(InvalidValueError, match="cannot read"):
        load(Scene, broken)
    broken.write_text("{}")
    with pytest.raises(InvalidValueError, match="not a Scene"):
        load(Scene, broken)


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = save(stack_task(), tmp_path / "task.json")
    before = target.read_bytes()

    def full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(InvalidValueError, match="No space left"):
        save(stack_task(), target)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]
