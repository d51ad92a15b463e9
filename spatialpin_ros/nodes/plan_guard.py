# SPDX-License-Identifier: Apache-2.0
"""Has the planner check the rest of a plan in every scene that arrives while the arm carries the plan out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from spatialpin_interfaces.srv import CheckPlan

from spatialpin_ros.conversions import plan_to_msg
from spatialpin_ros.conversions.basics import NANOSECONDS
from spatialpin_ros.execution.guard import Blocked
from spatialpin_ros.nodes.stages import StageServices
from spatialpin_ros.nodes.support import now_s
from spatialpin_ros.plan import Plan


class PlanGuards:
    """Guards of the plans that an executor carries out.

    Args:
        node: the executor.
        planner: full name of the planner node.
        stages: tells of every scene.
    """

    def __init__(self, node: Node, planner: str, stages: StageServices) -> None:
        self._node, self._stages = node, stages
        group = ReentrantCallbackGroup()
        self._client: Any = node.create_client(CheckPlan, f"{planner}/check_plan", callback_group=group)

    @contextmanager
    def watch(self, plan: Plan) -> Iterator[PlanGuard]:
        """Watch one plan for as long as the context lasts."""
        if not self._client.service_is_ready():
            self._node.get_logger().warning(
                f"{self._client.srv_name} is not there: nothing that gets in the way will be noticed"
            )
        guard = PlanGuard(self._node, self._client, plan)
        self._stages.tell_scenes(guard.on_scene)
        try:
            yield guard
        finally:
            self._stages.tell_scenes(None)


class PlanGuard:
    """Watches one execution; see `execution.guard.Guard`."""

    def __init__(self, node: Node, client: Any, plan: Plan) -> None:
        self._node, self._client = node, client
        self._plan, self._message = plan, plan_to_msg(plan, plan.scene_stamp_s)
        self._durations = [stage.duration_s for stage in plan.stages]
        self._lock = threading.Lock()
        self._way: list[tuple[float, int, float]] = [(now_s(node), 0, 0.0)]
        self._blocked: Blocked | None = None

    def at(self, stage_index: int, share: float) -> None:
        with self._lock:
            self._way.append((now_s(self._node), stage_index, share * self._durations[stage_index]))

    def blocked(self) -> Blocked | None:
        return self._blocked

    def on_scene(self, stamp: Time) -> None:
        """Ask the planner about the scene with this stamp, unless it is from before the arm set off."""
        stamp_s = stamp.sec + stamp.nanosec / NANOSECONDS
        with self._lock:
            if stamp_s <= self._way[0][0] or self._blocked is not None or not self._client.service_is_ready():
                return
            seen = next(entry for entry in reversed(self._way) if entry[0] <= stamp_s)
            here = self._way[-1]
        request = CheckPlan.Request(
            plan=self._message,
            stage_index=here[1],
            stage_time_s=here[2],
            seen_stage_index=seen[1],
            seen_stage_time_s=seen[2],
            scene_stamp=stamp,
        )
        self._client.call_async(request).add_done_callback(self._on_answer)

    def _on_answer(self, future: Any) -> None:
        answer = future.result()
        if answer is None or not answer.success:
            why = "no answer" if answer is None else answer.message
            self._node.get_logger().warning(f"the rest of the plan could not be checked: {why}")
            return
        if answer.holds:
            return
        called = {key: name for key, name in zip(answer.object_ids, answer.object_names, strict=True) if name}
        names = ", ".join(f"{name} ({key})" for key, name in called.items())
        message = f"{names}: {answer.message}" if names else answer.message
        self._blocked = Blocked(
            answer.conflict_stage, answer.conflict_kind, tuple(answer.object_ids), message
        )
