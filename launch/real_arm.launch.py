# SPDX-License-Identifier: Apache-2.0
"""The four stages on a real arm and camera whose drivers and controllers run already: dry run by default, and slow."""

from launch import LaunchDescription

from spatialpin_ros.nodes.launching import arguments, rviz, stages


def generate_launch_description() -> LaunchDescription:
    declared = arguments(
        robot="panda",
        camera="realsense_d435",
        perception="geometric",
        views="1",
        backend="symbolic",
        backend_settings="",
        record_folder="",
        rviz="false",
        dry_run="true",
        velocity_scaling="0.3",
        use_sim_time="false",
        log_level="info",
    )
    return LaunchDescription([*declared, *stages(), rviz()])
