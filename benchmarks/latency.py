# SPDX-License-Identifier: Apache-2.0
"""From a free-text request to the first trajectory point published, over the ROS graph.

    python benchmarks/latency.py --runs 20

For each seed: a new scene, the best stacking task in words, the executor's ~/request_task, and the clock runs until
the planner's ~/trajectory arrives here. The arm is stopped then.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from _machine import in_words, machine_line, spread, write_result
from spatialpin_interfaces.srv import RequestTask
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from spatialpin_ros.demo.flow import by_preference
from spatialpin_ros.demo.graph import GraphOptions, running_graph
from spatialpin_ros.errors import SpatialPinError
from spatialpin_ros.nodes.client import GraphClient

REQUEST, STOP, TRAJECTORY = "/executor/request_task", "/executor/stop", "/planner/trajectory"
LIMIT_S = 30.0


class Stopwatch:
    """Times requests until a trajectory is heard."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client
        self._heard = threading.Event()
        self._heard_s = 0.0
        client.session.node.create_subscription(JointTrajectory, TRAJECTORY, self._on_trajectory, 1)

    def _on_trajectory(self, message: JointTrajectory) -> None:
        if message.points and not self._heard.is_set():
            self._heard_s = time.perf_counter()
            self._heard.set()

    def time(self, request: str) -> float:
        """Seconds from the request to the first trajectory."""
        self._heard.clear()
        began_s = time.perf_counter()
        reply = self._client.session.call(REQUEST, RequestTask, RequestTask.Request(request=request), LIMIT_S)
        if not reply.accepted:
            raise SpatialPinError(f"the executor did not accept '{request}': {reply.message}")
        if not self._heard.wait(LIMIT_S):
            raise SpatialPinError(f"no trajectory came within {LIMIT_S:.0f} s of '{request}'")
        return self._heard_s - began_s


def request_for(client: GraphClient) -> str:
    """The best stacking proposal of the newest scene, in words."""
    tasks = by_preference(client.propose(12).tasks)
    if not tasks or tasks[0].steps[-1].action != "place_on":
        raise SpatialPinError("nothing can be stacked in this scene")
    scene, step = client.newest_scene(), tasks[0].steps[-1]
    assert scene is not None
    return f"put the {scene.object(step.object_id).name} on the {scene.object(step.target_id).name}"


def one(client: GraphClient, stopwatch: Stopwatch, seed: int) -> float:
    client.randomize(seed, 0)
    client.capture()
    request = request_for(client)
    seconds = stopwatch.time(request)
    client.session.call(STOP, Trigger, Trigger.Request(), LIMIT_S)
    print(f"seed {seed:3d}  {seconds * 1000:7.0f} ms  {request}", flush=True)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description="Latency from a request to the first trajectory point.")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--out", type=Path, help="JSON to write")
    options = parser.parse_args()
    print(machine_line())
    seconds: list[float] = []
    failures: dict[int, str] = {}
    with tempfile.TemporaryDirectory() as logs, running_graph(GraphOptions(), Path(logs)) as (client, _):
        stopwatch = Stopwatch(client)
        for seed in range(options.first, options.first + options.runs):
            try:
                seconds.append(one(client, stopwatch, seed))
            except SpatialPinError as error:
                failures[seed] = str(error)
                print(f"seed {seed:3d}  failed: {error}", flush=True)
    print(f"\nrequest to first trajectory point: {in_words(seconds)}")
    if failures:
        print(f"failed: {len(failures)} of {options.runs}")
    write_result(
        options.out, "latency", {"seconds": seconds, "spread": spread(seconds), "failures": failures}
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
