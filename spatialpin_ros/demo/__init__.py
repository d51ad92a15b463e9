# SPDX-License-Identifier: Apache-2.0
"""The demo: one command from a random table to a verified pick-and-stack, over ROS or in one process."""
