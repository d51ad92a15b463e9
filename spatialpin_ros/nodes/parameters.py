# SPDX-License-Identifier: Apache-2.0
"""Node parameters as one typed table each: described, bounded, and loud about keys nobody knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import (
    InvalidParameterTypeException,
    InvalidParameterValueException,
    InvalidTopicNameException,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter
from rclpy.validate_topic_name import validate_topic_name

from spatialpin_ros.errors import InvalidValueError

Value = bool | int | float | str
_FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides.")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Args:
        name, default, description: as `ros2 param describe` shows them; the default's type is the type.
        low, high: range of a number, both inclusive.
        choices: the words allowed.
        is_name: it names a topic or a node.
        read_only: it is read once, at the start.
    """

    name: str
    default: Value
    description: str
    low: float | None = None
    high: float | None = None
    choices: Sequence[str] = ()
    is_name: bool = False
    read_only: bool = True

    def complaint(self, value: Any) -> str:
        """Say what is wrong with a value of the right type; empty when nothing is. ROS itself checks ranges."""
        if self.choices and value not in self.choices:
            return f"{self.name} is '{value}'; expected one of {list(self.choices)}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{self.name} must be a finite number, got {value}"
        try:
            if self.is_name:
                validate_topic_name(value)
        except InvalidTopicNameException as error:
            return f"{self.name} is '{value}', which names no topic or node: {str(error).splitlines()[0]}"
        return ""

    def descriptor(self) -> ParameterDescriptor:
        constraint = f"one of {list(self.choices)}" if self.choices else ""
        descriptor = ParameterDescriptor(
            name=self.name,
            description=self.description,
            additional_constraints=constraint,
            read_only=self.read_only,
        )
        if self.low is None or self.high is None:
            return descriptor
        if isinstance(self.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=self.low, to_value=self.high)]
        else:
            descriptor.integer_range = [
                IntegerRange(from_value=int(self.low), to_value=int(self.high), step=1)
            ]
        return descriptor


def declare(node: Node, table: Sequence[Parameter]) -> dict[str, Any]:
    """Declare a node's parameters and return their values.

    Raises:
        InvalidValueError: on an override that is not in the table, of the wrong type, out of range, none of the
            choices, or no name where one is expected.
    """
    known = {parameter.name for parameter in table}
    given: dict[str, Any] = getattr(node, "_parameter_overrides", {})
    unknown = sorted(name for name in given if name not in known and not name.startswith(_FOREIGN))
    if unknown:
        raise InvalidValueError(f"{node.get_name()}: unknown parameters {unknown}; known are {sorted(known)}")
    values = {parameter.name: _declared(node, parameter) for parameter in table}
    complaints = [parameter.complaint(values[parameter.name]) for parameter in table]
    if any(complaints):
        raise InvalidValueError(f"{node.get_name()}: {'; '.join(filter(None, complaints))}")
    by_name = {parameter.name: parameter for parameter in table}

    def check(changes: list[RosParameter[Any]]) -> SetParametersResult:
        wrong = [by_name[change.name].complaint(change.value) for change in changes if change.name in by_name]
        return SetParametersResult(successful=not any(wrong), reason="; ".join(filter(None, wrong)))

    node.add_on_set_parameters_callback(check)
    return values


def _declared(node: Node, parameter: Parameter) -> Any:
    try:
        return node.declare_parameter(parameter.name, parameter.default, parameter.descriptor()).value
    except InvalidParameterTypeException as error:
        kind = type(parameter.default).__name__
        raise InvalidValueError(f"{node.get_name()}: {parameter.name} must be a {kind} ({error})") from error
    except InvalidParameterValueException as error:
        limits = f"{parameter.low}..{parameter.high}"
        raise InvalidValueError(
            f"{node.get_name()}: {parameter.name} must lie in {limits} ({error})"
        ) from error


ROBOT = Parameter("robot", "panda", "Name in config/robots, or path of a robot's YAML file.")
CAMERA = Parameter("camera", "simulation", "Name in config/cameras, or path of a camera's YAML file.")
