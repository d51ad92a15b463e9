# SPDX-License-Identifier: Apache-2.0
"""Spatial questions and answers: programs with one definition each, phrasing, and the reading of free-text answers."""
