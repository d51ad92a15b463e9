# SPDX-License-Identifier: Apache-2.0
"""Room for camera images in the shared memory of Fast DDS, for the processes that this package starts."""

from __future__ import annotations

import os

from spatialpin_ros.config import share_directory

NEW, OLD = "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"
OLD_RELEASES = ("humble", "iron", "jazzy")


def transport_environment() -> dict[str, str]:
    """The variable that names config/fastdds.xml; none where the user has named a file."""
    if NEW in os.environ or OLD in os.environ:
        return {}
    name = OLD if os.environ.get("ROS_DISTRO") in OLD_RELEASES else NEW
    return {name: str(share_directory() / "config" / "fastdds.xml")}
