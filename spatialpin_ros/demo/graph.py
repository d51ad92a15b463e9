# SPDX-License-Identifier: Apache-2.0
"""The ROS graph of the demo: its nodes as processes, and a client that waits until they are ready."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spatialpin_ros.config import RobotConfig
from spatialpin_ros.demo.processes import NodeCommand, NodeProcesses, free_domain, node_environment
from spatialpin_ros.nodes.client import GraphClient, GraphNames
from spatialpin_ros.nodes.session import GraphSession

NEEDED = ("joint_states", "randomize", "capture", "propose", "describe", "plan", "execute")
READY_LIMIT_S = 90.0


@dataclass(frozen=True, slots=True)
class GraphOptions:
    """What the graph is made of.

    Args:
        robot, camera: names or paths of their YAML files.
        backend: reasoning back end.
        backend_settings: its settings, name=value words.
        record_folder: where a language model's calls are kept; empty: nowhere.
        gui: open the simulator's window.
        domain: ROS domain; None takes a free one.
        film: record pictures of the executions.
    """

    robot: str = "panda"
    camera: str = "simulation"
    backend: str = "symbolic"
    gui: bool = False
    domain: int | None = None
    film: bool = False
    backend_settings: str = ""
    record_folder: str = ""


def node_commands(options: GraphOptions) -> tuple[NodeCommand, ...]:
    """The five nodes with their parameters."""
    robot, camera = f"robot:={options.robot}", f"camera:={options.camera}"
    parameters = {
        "simulator": (robot, camera, f"gui:={str(options.gui).lower()}"),
        "scene": (robot, camera),
        "reasoner": (robot, f"backend:={options.backend}", *_named(options)),
        "planner": (robot,),
        "executor": (robot, "dry_run:=false"),
    }
    return tuple(
        NodeCommand(
            name,
            f"spatialpin_ros.nodes.{name}",
            _ros_arguments((f"use_sim_time:={_on_its_clock(name)}", *values)),
        )
        for name, values in parameters.items()
    )


def _named(options: GraphOptions) -> Iterator[str]:
    """The reasoner's texts, in quotes, for ROS reads a parameter's value as YAML."""
    for name in ("backend_settings", "record_folder"):
        if value := getattr(options, name):
            yield f"{name}:={json.dumps(value)}"


def _on_its_clock(name: str) -> str:
    """Every node but the simulator, which makes the time, takes it from /clock."""
    return str(name != "simulator").lower()


def _ros_arguments(parameters: tuple[str, ...]) -> tuple[str, ...]:
    return ("--ros-args", *(part for parameter in parameters for part in ("-p", parameter)))


@contextmanager
def running_graph(
    options: GraphOptions, logs: Path, on_missing: Callable[[list[str]], None] = lambda _: None
) -> Iterator[tuple[GraphClient, NodeProcesses]]:
    """Start the nodes, wait until they are ready, and end them in the end.

    Raises:
        NodeDiedError: a node ended, with the end of its log.
        BackendError: the nodes were not ready in time.
    """
    robot = RobotConfig.load(options.robot)
    domain = options.domain if options.domain is not None else free_domain()
    environment = node_environment(domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = environment["ROS_AUTOMATIC_DISCOVERY_RANGE"]
    names = GraphNames(joint_states=robot.controllers.joint_states)
    with NodeProcesses(node_commands(options), environment, logs) as processes:
        session = GraphSession(domain, use_sim_time=True, health=processes.check)
        client = GraphClient(session, names=names, film=options.film)
        try:
            client.wait_until_ready(READY_LIMIT_S, NEEDED, on_missing)
            yield client, processes
        finally:
            client.close()
