# SPDX-License-Identifier: Apache-2.0
"""Benchmarks against the simulator's truth, as commands; each writes JSON and a readable report."""
