# SPDX-License-Identifier: Apache-2.0
"""What the launch files have in common: their arguments, the nodes of this package and RViz."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from launch.actions import DeclareLaunchArgument, Shutdown
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

from spatialpin_ros.reasoning import backend_names
from spatialpin_ros.transport import transport_environment

PACKAGE = "spatialpin_ros"
DESCRIPTIONS = {
    "robot": "Name in config/robots, or path of a robot's YAML file.",
    "camera": "Name in config/cameras, or path of a camera's YAML file.",
    "perception": "Name in config/perception, or path of a perception YAML: learned modules, models of objects, ...",
    "views": "Scenes are fused from so many newest images, while nothing on the table moves: for a camera on the arm.",
    "backend": "Reasoning back end.",
    "backend_settings": "Its settings: name=value words, or the path of a YAML file of them.",
    "record_folder": "Folder that keeps a language model's prompts, images and replies; empty: nowhere.",
    "dry_run": "Plan and show, and move only once approved. 'false' lets the arm move on request.",
    "velocity_scaling": "Fraction of the planned velocities at which the arm moves.",
    "use_sim_time": "Take the time from /clock, in every node.",
    "gui": "Open the simulator's window.",
    "seed": "Of the simulated scenes and of the depth noise.",
    "objects": "Objects on the simulated table at the start, 2 to 8; 0: an empty table.",
    "rviz": "Open RViz with this package's view.",
    "log_level": "Of every node.",
}
BOOLEANS = frozenset({"dry_run", "use_sim_time", "gui", "rviz"})
NUMBERS = {"velocity_scaling": float, "seed": int, "objects": int, "views": int}
CHOICES = {
    "backend": list(backend_names()),
    "log_level": ["debug", "info", "warn", "error"],
    **{name: ["true", "false"] for name in BOOLEANS},
}
STAGES = {
    "scene": ("robot", "camera", "perception", "views"),
    "reasoner": ("robot", "backend", "backend_settings", "record_folder"),
    "planner": ("robot",),
    "executor": ("robot", "dry_run", "velocity_scaling"),
}
SIMULATOR = ("robot", "camera", "gui", "seed", "objects")


def arguments(**defaults: str) -> list[DeclareLaunchArgument]:
    """Declare launch arguments by name and default, with their descriptions and, where there are few, their choices."""
    return [
        DeclareLaunchArgument(
            name, default_value=default, description=DESCRIPTIONS[name], choices=CHOICES.get(name)
        )
        for name, default in defaults.items()
    ]


def node(name: str, parameters: Iterable[str], use_sim_time: bool | None = None) -> Node:
    """A node of this package whose parameters are the launch arguments of the same names.

    When it ends, everything ends: what would be left of the graph is of no use.
    """
    values = {parameter: _value(parameter) for parameter in parameters}
    values["use_sim_time"] = _value("use_sim_time") if use_sim_time is None else use_sim_time
    return Node(
        package=PACKAGE,
        executable=f"{name}_node",
        name=name,
        parameters=[values],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        additional_env=transport_environment(),
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason=f"the {name} node ended"),
    )


def stages() -> list[Node]:
    """The four stages between a camera and an arm."""
    return [node(name, parameters) for name, parameters in STAGES.items()]


def rviz() -> Node:
    """RViz with this package's view, where the argument `rviz` asks for it."""
    return Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", PathJoinSubstitution([FindPackageShare(PACKAGE), "rviz", "spatialpin.rviz"])],
        parameters=[{"use_sim_time": _value("use_sim_time")}],
        condition=IfCondition(LaunchConfiguration("rviz")),
    )


def _value(name: str) -> Any:
    # Without a type, launch would read a robot called "7" as a number.
    kind = bool if name in BOOLEANS else NUMBERS.get(name, str)
    return ParameterValue(LaunchConfiguration(name), value_type=kind)
