# SPDX-License-Identifier: Apache-2.0
"""Quality of service by what a topic is for."""

from __future__ import annotations

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

RELIABLE = QoSProfile(depth=20, history=HistoryPolicy.KEEP_LAST, reliability=ReliabilityPolicy.RELIABLE)
"""What is published and must arrive: progress, outcomes, joint states."""

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
