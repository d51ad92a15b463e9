# SPDX-License-Identifier: Apache-2.0
"""Thin ROS 2 nodes: one per arrow of the flow, plus the simulator that stands in for arm and camera."""
