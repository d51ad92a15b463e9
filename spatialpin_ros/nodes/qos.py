# SPDX-License-Identifier: Apache-2.0
"""Quality of service by what a topic is for."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

SENSOR = qos_profile_sensor_data
"""Camera images and joint states that are received: best effort, so that any publisher fits."""

LATCHED = QoSProfile(
    depth=1,
    history=HistoryPolicy.KEEP_LAST,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""The newest of something that latecomers need: scenes, plans, the robot's description."""

OUTCOMES = QoSProfile(
    depth=20,
    history=HistoryPolicy.KEEP_LAST,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
"""Latched, but every one counts: stopping a queue of tasks ends them all at once."""

RELIABLE = QoSProfile(depth=20, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
"""What is published and must arrive: progress, joint states."""

SERVICE = QoSProfile(depth=1000, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
"""Services and their clients. Of requests that come faster than they are taken, a server keeps as many as its history
is deep, and those beyond are never answered; with ROS's default of 10 a burst of 40 got 10 answers. Memory is taken
only for what is there."""

ACTION_SERVICES: dict[str, Any] = {
    "goal_service_qos_profile": SERVICE,
    "result_service_qos_profile": SERVICE,
    "cancel_service_qos_profile": SERVICE,
}
"""The same for the services that an action is made of: keyword arguments of its server or client."""

LARGE = QoSProfile(depth=5, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
"""Camera images where the publisher is reliable; see `matching`."""


def matching(node: Node, topic: str) -> QoSProfile:
    """Quality of service to receive large messages with: reliable where every publisher is, else best effort.

    A best effort reader loses most frames larger than the transport's shared memory segment (512 kB in Fast DDS), a
    reliable one none, but it hears nothing from a best effort publisher.
    """
    offers = node.get_publishers_info_by_topic(topic)
    reliable = bool(offers) and all(
        offer.qos_profile.reliability == ReliabilityPolicy.RELIABLE for offer in offers
    )
    return LARGE if reliable else SENSOR
