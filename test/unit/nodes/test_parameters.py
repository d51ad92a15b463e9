# SPDX-License-Identifier: Apache-2.0
"""A parameter that a node cannot work with is refused when it is set, not when it is used."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("rclpy")
pytest.importorskip("pybullet")

from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from spatialpin_ros.errors import InvalidValueError
from spatialpin_ros.nodes import executor, planner, reasoner, scene, simulator
from spatialpin_ros.nodes.parameters import declare

TABLES = {
    module.__name__.split(".")[-1]: module.PARAMETERS
    for module in (executor, planner, reasoner, scene, simulator)
}
ALL = [(name, parameter) for name, table in TABLES.items() for parameter in table]
NUMBERS = [(name, each) for name, each in ALL if type(each.default) in (int, float)]
FREE_TEXT = {"robot", "camera", "perception", "backend_settings", "record_folder"}


def identify(value):
    return value if isinstance(value, str) else value.name


@pytest.fixture
def make(ros_context):
    """Declare a node's parameters, some of them given."""
    nodes = []

    def declared(name, **values):
        overrides = [RosParameter(key, value=value) for key, value in values.items()]
        nodes.append(Node(name, context=ros_context, parameter_overrides=overrides))
        declare(nodes[-1], TABLES[name])
        return nodes[-1]

    yield declared
    for node in nodes:
        node.destroy_node()


@pytest.mark.parametrize(("node", "parameter"), NUMBERS, ids=identify)
def test_every_number_has_a_range(node, parameter):
    assert parameter.low is not None
    assert parameter.high is not None
    assert parameter.low <= parameter.default <= parameter.high


@pytest.mark.parametrize(("node", "parameter"), ALL, ids=identify)
def test_every_word_is_a_choice_or_a_name_unless_it_is_text(node, parameter):
    if isinstance(parameter.default, str) and parameter.name not in FREE_TEXT:
        assert parameter.choices or parameter.is_name


@pytest.mark.parametrize(
    ("node", "name", "value"),
    [
        ("planner", "planner", "bogus"),
        ("planner", "speed", math.nan),
        ("planner", "time_limit_s", math.inf),
        ("executor", "velocity_scaling", -0.5),
        ("executor", "scene_max_age_s", math.nan),
        ("reasoner", "max_tasks", 0),
    ],
)
def test_a_bad_value_is_refused_when_it_is_set(make, node, name, value):
    made = make(node)
    before = made.get_parameter(name).value
    result = made.set_parameters([RosParameter(name, value=value)])[0]
    assert not result.successful
    assert name in result.reason
    assert made.get_parameter(name).value == before


def test_every_planner_can_be_set(make):
    made = make("planner")
    for name in planner.OMPL_PLANNERS:
        assert made.set_parameters([RosParameter("planner", value=name)])[0].successful


@pytest.mark.parametrize(
    ("node", "name", "value", "said"),
    [
        ("planner", "planner", "bogus", "expected one of"),
        ("planner", "scene_topic", "", "names no topic"),
        ("reasoner", "scene_topic", "my scenes", "names no topic"),
        ("executor", "planner_node", "/planner/", "names no topic or node"),
        ("planner", "time_limit_s", math.nan, "time_limit_s"),
    ],
)
def test_a_bad_value_at_the_start_is_named(make, node, name, value, said):
    with pytest.raises(InvalidValueError, match=said):
        make(node, **{name: value})
