# SPDX-License-Identifier: Apache-2.0
"""The launch files load, describe their arguments, and start nodes that this package installs."""

import re
from pathlib import Path

import pytest
import yaml

pytest.importorskip("launch.actions", reason="launch is not installed")
pytest.importorskip("launch_ros.actions", reason="launch_ros is not installed")

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.launch_description_sources import get_launch_description_from_python_launch_file
from launch.utilities import perform_substitutions
from launch_ros.actions import Node
from launch_ros.utilities import evaluate_parameters

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(path.name for path in (ROOT / "launch").glob("*.launch.py"))


def load(name: str) -> LaunchDescription:
    return get_launch_description_from_python_launch_file(str(ROOT / "launch" / name))


def arguments(description: LaunchDescription) -> dict[str, DeclareLaunchArgument]:
    return {argument.name: argument for argument in description.get_launch_arguments()}


def default(argument: DeclareLaunchArgument) -> str:
    return perform_substitutions(LaunchContext(), argument.default_value)


def nodes(description: LaunchDescription) -> list[Node]:
    return [entity for entity in description.entities if isinstance(entity, Node)]


def installed_executables() -> set[str]:
    listed = re.search(r"^NODES = \((.*?)\)", (ROOT / "setup.py").read_text(), re.MULTILINE)
    assert listed
    return {f"{name}_node" for name in re.findall(r'"(\w+)"', listed.group(1))}


def test_both_launch_files_are_there() -> None:
    assert {"real_arm.launch.py", "simulation.launch.py"} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_every_argument_is_described_and_has_a_valid_default(name: str) -> None:
    for argument in arguments(load(name)).values():
        assert len(argument.description) > 10, argument.name
        assert argument.choices is None or default(argument) in argument.choices, argument.name


@pytest.mark.parametrize("name", FILES)
def test_robot_and_camera_defaults_have_their_files(name: str) -> None:
    declared = arguments(load(name))
    assert (ROOT / "config" / "robots" / f"{default(declared['robot'])}.yaml").is_file()
    assert (ROOT / "config" / "cameras" / f"{default(declared['camera'])}.yaml").is_file()


@pytest.mark.parametrize("name", FILES)
def test_the_nodes_of_this_package_are_ones_that_it_installs(name: str) -> None:
    own = {node.node_executable for node in nodes(load(name)) if node.node_package == "spatialpin_ros"}
    assert {"scene_node", "reasoner_node", "planner_node", "executor_node"} <= own <= installed_executables()


def test_a_real_arm_is_slow_at_first() -> None:
    assert float(default(arguments(load("real_arm.launch.py"))["velocity_scaling"])) <= 0.3


def test_only_the_simulation_moves_without_approval() -> None:
    assert default(arguments(load("real_arm.launch.py"))["dry_run"]) == "true"
    assert default(arguments(load("simulation.launch.py"))["dry_run"]) == "false"


def test_only_the_simulation_has_a_simulator() -> None:
    executables = {name: {node.node_executable for node in nodes(load(name))} for name in FILES}
    assert [name for name in FILES if "simulator_node" in executables[name]] == ["simulation.launch.py"]


def test_the_simulated_table_is_not_empty_at_first() -> None:
    assert int(default(arguments(load("simulation.launch.py"))["objects"])) >= 2


@pytest.mark.parametrize("name", FILES)
def test_nodes_get_no_argument_that_is_not_declared(name: str) -> None:
    description = load(name)
    declared = {argument: default(value) for argument, value in arguments(description).items()}
    context = LaunchContext()
    context.launch_configurations.update(declared)
    for node in nodes(description):
        if node.node_package == "spatialpin_ros":
            evaluate_parameters(context, node._Node__parameters)


def test_the_rviz_view_is_readable_and_in_the_default_robots_base_frame() -> None:
    view = yaml.safe_load((ROOT / "rviz" / "spatialpin.rviz").read_text())
    robot = yaml.safe_load((ROOT / "config" / "robots" / "panda.yaml").read_text())
    assert view["Visualization Manager"]["Global Options"]["Fixed Frame"] == robot["base_frame"]
