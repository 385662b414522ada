"""Motions of a robot that touch nothing."""

from mimic_planning.client import PlanningProcess, Reply
from mimic_planning.errors import PlanningError
from mimic_planning.planner import Plan, Planner
from mimic_planning.scene import Scene, SceneParams
from mimic_planning.timing import TimedPath

__all__ = [
    'Plan',
    'Planner',
    'PlanningError',
    'PlanningProcess',
    'Reply',
    'Scene',
    'SceneParams',
    'TimedPath',
]
