"""A process that plans, so that nobody's control loop waits: requests in, replies out, as JSON.

    python -m mimic_planning.worker < requests > replies

The first line says which robot, each further line is one request (`mimic_planning.client`).
"""

import contextlib
import dataclasses
import json
import os
import sys
from typing import Any, TextIO

import numpy as np

from mimic_core.errors import ConfigError, MimicError
from mimic_core.params import from_mapping
from mimic_core.process import run_ordinarily
from mimic_description import load_robot
from mimic_description.registry import Workspace
from mimic_planning.planner import Planner
from mimic_planning.scene import SceneParams

NICE = 5  # planning may wait, control may not


def make_planner(header: dict[str, Any]) -> Planner:
    """Return the planner that the first line asks for.

    Raises:
        MimicError: The robot is not known, or a parameter is wrong.
    """
    robot = load_robot(header['arm'], header['hand'], header['prefix'])
    lower, upper = np.array(header['lower']), np.array(header['upper'])
    arm = robot.arm
    if arm is not None and header['workspace'] is not None:
        arm = dataclasses.replace(arm, workspace=Workspace(**header['workspace']))
    limits = dataclasses.replace(robot.limits, lower=lower, upper=upper)
    robot = dataclasses.replace(robot, arm=arm, limits=limits)
    return Planner(robot, from_mapping(SceneParams, header['scene']))


def answer(planner: Planner, request: dict[str, Any]) -> dict[str, Any]:
    """Return the reply to one request; whatever is wrong with it is in `error`."""
    try:
        if 'points' in request:
            why = planner.check(np.array(request['points']))
            return {
                'points': request['points'] if not why else [],
                'kind': 'checked',
                'error': why,
            }
        plan = planner.plan(
            np.array(request['start']),
            np.array(request['goal']),
            timeout=float(request['timeout']),
            seed=int(request['seed']),
        )
    except MimicError as error:
        return {'points': [], 'kind': '', 'error': str(error)}
    return {'points': plan.points.tolist(), 'kind': plan.kind, 'error': ''}


def serve(requests: TextIO, replies: TextIO) -> None:
    """Answer requests until there are no more."""

    def send(reply: dict[str, Any]) -> None:
        replies.write(json.dumps(reply) + '\n')
        replies.flush()

    planner: Planner | None = None
    for line in requests:
        content = json.loads(line)
        if planner is not None:
            send(answer(planner, content))
            continue
        try:
            planner = make_planner(content)
        except (MimicError, KeyError) as error:
            send({'points': [], 'kind': '', 'error': f'the planner cannot start: {error}'})
            raise SystemExit(1) from error
    if planner is None:
        raise ConfigError('the first line must say which robot')


def main() -> None:
    """Serve standard input and output."""
    run_ordinarily(NICE)  # a control process hands its priority down
    replies = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)  # what libraries print is no reply
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        serve(sys.stdin, replies)


if __name__ == '__main__':
    main()
