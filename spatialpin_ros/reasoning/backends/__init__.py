# SPDX-License-Identifier: Apache-2.0
"""The reasoning back ends; the registry knows their names."""
