# SPDX-License-Identifier: Apache-2.0
"""Motion planning: Scene and Task in, a timed and collision-checked Plan or a typed failure out."""

from spatialpin_ros.planning.options import PlanOptions
from spatialpin_ros.planning.planner import Planner
from spatialpin_ros.planning.pool import PlanningPool
from spatialpin_ros.planning.revalidation import PlanConflict
from spatialpin_ros.planning.worker import PlanningWorker

__all__ = ["PlanConflict", "PlanOptions", "Planner", "PlanningPool", "PlanningWorker"]
