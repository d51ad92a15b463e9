# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests that run real nodes."""

import pytest


@pytest.fixture(autouse=True)
def own_domain(ros_domain_id: int) -> int:
    """Give every test here a ROS domain of its own, whether it asks for one or not."""
    return ros_domain_id
