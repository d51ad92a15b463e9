# SPDX-License-Identifier: Apache-2.0
"""From an RGB-D image of a table to an executed pick-and-stack: CameraFrame -> Scene -> Task -> Plan -> Outcome."""
