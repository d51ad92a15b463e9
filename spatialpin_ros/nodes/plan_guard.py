# SPDX-License-Identifier: Apache-2.0
"""Has the planner check the rest of a plan in every scene that arrives while the arm carries the plan out."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from spatialpin_interfaces.srv import CheckPlan

from spatialpin_ros.conversions import plan_to_msg, seconds
from spatialpin_ros.execution.guard import Blocked
from spatialpin_ros.nodes.qos import SERVICE
from spatialpin_ros.nodes.stages import StageServices
from spatialpin_ros.nodes.support import now_s
from spatialpin_ros.plan import Plan

ANSWER_LIMIT_S = 10.0


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
        self._client: Any = node.create_client(
            CheckPlan, f"{planner}/check_plan", qos_profile=SERVICE, callback_group=group
        )

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
            guard.close()


class PlanGuard:
    """Watches one execution; see `execution.guard.Guard`.

    One check is asked for at a time; of the scenes that come meanwhile the newest is checked next.
    """

    def __init__(self, node: Node, client: Any, plan: Plan) -> None:
        self._node, self._client = node, client
        self._plan, self._message = plan, plan_to_msg(plan, plan.scene_stamp_s)
        self._durations = [stage.duration_s for stage in plan.stages]
        self._lock = threading.Lock()
        self._way: list[tuple[float, int, float]] = [(now_s(node), 0, 0.0)]
        self._blocked: Blocked | None = None
        self._asked: Any = None
        self._asked_s = 0.0
        self._waiting: Time | None = None
        self._closed = False

    def at(self, stage_index: int, share: float) -> None:
        with self._lock:
            self._way.append((now_s(self._node), stage_index, share * self._durations[stage_index]))

    def blocked(self) -> Blocked | None:
        return self._blocked

    def close(self) -> None:
        """Ask nothing more: the execution is over."""
        self._closed = True

    def on_scene(self, stamp: Time) -> None:
        """Ask the planner about the scene with this stamp, unless it is from before the arm set off."""
        if seconds(stamp) > self._way[0][0]:
            self._waiting = stamp
            self._ask()

    def _ask(self) -> None:
        """Check the newest scene that waits, once no other check is under way; on the executor's thread."""
        if self._asked is not None and time.monotonic() - self._asked_s > ANSWER_LIMIT_S:
            self._client.remove_pending_request(self._asked)
            self._complain(f"no answer in {ANSWER_LIMIT_S:.0f} s")
            self._asked = None
        over = self._closed or self._blocked is not None
        if over or self._asked is not None or self._waiting is None or not self._client.service_is_ready():
            return
        request, self._waiting = self._request(self._waiting), None
        self._asked, self._asked_s = self._client.call_async(request), time.monotonic()
        self._asked.add_done_callback(self._on_answer)

    def _request(self, stamp: Time) -> CheckPlan.Request:
        with self._lock:
            seen = next(entry for entry in reversed(self._way) if entry[0] <= seconds(stamp))
            here = self._way[-1]
        return CheckPlan.Request(
            plan=self._message,
            stage_index=here[1],
            stage_time_s=here[2],
            seen_stage_index=seen[1],
            seen_stage_time_s=seen[2],
            scene_stamp=stamp,
        )

    def _on_answer(self, future: Any) -> None:
        if future is not self._asked:
            return
        self._asked = None
        answer = future.result()
        if answer is None or not answer.success:
            self._complain("no answer" if answer is None else answer.message)
        elif not answer.holds:
            self._blocked = _blocked(answer)
        self._ask()

    def _complain(self, why: str) -> None:
        self._node.get_logger().warning(f"the rest of the plan could not be checked: {why}")


def _blocked(answer: CheckPlan.Response) -> Blocked:
    called = {key: name for key, name in zip(answer.object_ids, answer.object_names, strict=True) if name}
    names = ", ".join(f"{name} ({key})" for key, name in called.items())
    message = f"{names}: {answer.message}" if names else answer.message
    return Blocked(answer.conflict_stage, answer.conflict_kind, tuple(answer.object_ids), message)
