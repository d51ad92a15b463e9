# SPDX-License-Identifier: Apache-2.0
"""Everything in simulation: the simulator in the place of arm and camera, and the four stages, on simulated time."""

from launch import LaunchDescription

from spatialpin_ros.nodes.launching import SIMULATOR, arguments, node, rviz, stages


def generate_launch_description() -> LaunchDescription:
    declared = arguments(
        robot="panda",
        camera="simulation",
        seed="0",
        objects="6",
        perception="geometric",
        views="1",
        backend="symbolic",
        backend_settings="",
        record_folder="",
        gui="false",
        rviz="false",
        dry_run="false",
        velocity_scaling="1.0",
        use_sim_time="true",
        log_level="info",
    )
    return LaunchDescription([*declared, node("simulator", SIMULATOR, use_sim_time=False), *stages(), rviz()])
