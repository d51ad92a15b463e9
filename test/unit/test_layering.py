# SPDX-License-Identifier: Apache-2.0
"""The one-way flow: who may import whom, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "spatialpin_ros"
ROS = ("rclpy", "launch", "tf2_ros", "ament_index_python", "spatialpin_interfaces")
STAGES = ("perception", "reasoning", "planning", "execution", "simulation")
NOUNS = (
    "arrays",
    "camera",
    "config",
    "config_files",
    "documents",
    "errors",
    "geometry",
    "outcome",
    "plan",
    "poses",
    "scene",
    "serialization",
    "task",
    "typed",
)


def imports_of(path: Path) -> set[str]:
    """Absolute names of everything a module imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_nodes_and_conversions_know_ros(path: Path) -> None:
    top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if top in ("nodes", "conversions"):
        return
    ros = {
        name for name in imports_of(path) if name.split(".")[0] in ROS or name.split(".")[0].endswith("_msgs")
    }
    assert not ros, f"{path} imports {sorted(ros)}: only nodes/ and conversions may"


@pytest.mark.parametrize("stage", STAGES)
def test_stages_do_not_import_each_other(stage: str) -> None:
    forbidden = tuple(
        f"spatialpin_ros.{other}"
        for other in (*STAGES, "nodes", "conversions", "cli", "report")
        if other != stage
    )
    for path in sorted((PACKAGE / stage).rglob("*.py")):
        if path.name == "adapters.py" and stage == "simulation":
            forbidden = tuple(name for name in forbidden if name != "spatialpin_ros.execution")
        found = {name for name in imports_of(path) if name.startswith(forbidden)}
        assert not found, f"{path} reaches over to {sorted(found)}"


@pytest.mark.parametrize("noun", NOUNS)
def test_nouns_know_no_stage(noun: str) -> None:
    allowed = {f"spatialpin_ros.{name}" for name in NOUNS}
    own = {name for name in imports_of(PACKAGE / f"{noun}.py") if name.startswith("spatialpin_ros.")}
    assert all(any(name == good or name.startswith(good + ".") for good in allowed) for name in own), own
