"""A task that a network learns in seconds: a hand goes to a square and closes.

Two domains show it: a robot (grey block, slow, measured) and people (round, of skin, fast, seen
only). The palm points down, where axis-angle vectors jump.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from mimic_dataset import Dataset, DatasetMeta, EpisodeArrays
from mimic_policy import Observation

SIDE = 40  # [px]
FPS = 10.0
META = DatasetMeta(
    task='reach', arm='panda', hand='robotiq_2f85', joint_names=('finger_joint',),
    lower=(0.0,), upper=(0.8,), cameras={'agent': (SIDE, SIDE)}, fps=FPS,
)  # fmt: skip
CENTRE = np.array([0.5, 0.0, 0.3])  # [m]
REACH = 0.2  # [m] from the centre to the edge of the picture
SPEED = {'robot': 0.15, 'human': 0.3}  # [m/s]
START = np.array([0.5, 0.0, 0.4])
CLOSED = 0.8
DOWN = Rotation.from_rotvec([np.pi, 0.0, 0.0])


def targets(rng, count):
    """Places of the square, (count, 3) [m], not too near to the start."""
    found = []
    while len(found) < count:
        offset = rng.uniform(-0.16, 0.16, 2)
        if np.linalg.norm(offset) > 0.06:
            found.append(CENTRE + np.append(offset, 0.0))
    return np.array(found)


def render(position, grip, target, domain):
    """(SIDE, SIDE, 3) from above: blue square, and the hand over it, smaller when closed."""
    pixels = np.full((SIDE, SIDE, 3), 190, np.uint8)
    ys, xs = np.mgrid[:SIDE, :SIDE]

    def place(p):
        at = (p[:2] - CENTRE[:2]) / REACH * (SIDE / 2 - 3) + SIDE / 2
        return xs - at[0], ys - at[1]

    dx, dy = place(target)
    pixels[(np.abs(dx) < 3.0) & (np.abs(dy) < 3.0)] = (30, 60, 200)
    dx, dy = place(position)
    width = 4.0 - 2.0 * grip / CLOSED
    if domain == 'robot':
        pixels[(np.abs(dx) < width) & (np.abs(dy) < 2.0)] = (60, 60, 60)
    else:
        pixels[np.hypot(dx, dy) < width] = (220, 150, 120)
    return pixels


def demonstration(name, domain, target, rng):
    """One episode: over to the square, down, close."""
    above = np.array([*target[:2], START[2]])
    way = [START, above, target]
    points, grips = [START], [0.0]
    step = SPEED[domain] / FPS * rng.uniform(0.9, 1.1)
    for goal in way[1:]:
        while np.linalg.norm(goal - points[-1]) > 1e-9:
            move = goal - points[-1]
            points.append(points[-1] + move * min(1.0, step / np.linalg.norm(move)))
            grips.append(0.0)
    closing = 6 if domain == 'robot' else 3
    for i in range(closing + 4):
        points.append(target)
        grips.append(min(1.0, (i + 1) / closing) * CLOSED)
    position, grip = np.array(points), np.array(grips)[:, None]
    size = len(position) - 1
    sway = 0.05 * np.sin(np.linspace(0.0, np.pi, size))[:, None] * [1.0, 0.5, 0.2]
    ready = DOWN.as_rotvec() + sway
    action = np.concatenate([position[1:], Rotation.from_rotvec(ready).as_rotvec(), grip[1:]], 1)
    frames = [render(p, g[0], target, domain) for p, g in zip(position, grip, strict=True)]
    quat = np.tile(DOWN.as_quat(), (size, 1))
    state = np.concatenate([position[:-1], quat, grip[:-1]], 1)
    return EpisodeArrays(
        name=name, task='reach', arm='panda', hand='robotiq_2f85', domain=domain, fps=FPS,
        stamps=np.arange(size) / FPS, agent=np.array(frames[:-1]), action=action,
        joint_names=META.joint_names, state=state if domain == 'robot' else None,
    )  # fmt: skip


def dataset(robots, humans, seed=0):
    rng = np.random.default_rng(seed)
    episodes = [
        demonstration(f'robot_{i}', 'robot', t, rng) for i, t in enumerate(targets(rng, robots))
    ]
    episodes += [
        demonstration(f'human_{i}', 'human', t, rng) for i, t in enumerate(targets(rng, humans))
    ]
    return Dataset(META, tuple(episodes))


def rollout(policy, target, seed=0, executed=8, seconds=8.0):
    """Let a policy drive a hand that follows at the robot's speed; where it ends, how closed."""
    rng = np.random.default_rng(seed)
    position, grip = START.copy(), 0.0
    count = policy.meta.observation_steps
    history = []
    frame = 0
    while frame < seconds * FPS:
        rows = None
        for row in range(executed):
            history.append((render(position, grip, target, 'robot'), position.copy(), grip))
            history = history[-count:]
            if rows is None:
                seen = [history[0]] * (count - len(history)) + history
                state = np.array([[*p, *DOWN.as_quat(), g] for _, p, g in seen])
                rows = policy.predict(
                    Observation(np.array([i for i, *_ in seen]), None, state), rng
                )
            move = rows[row, :3] - position
            limit = 1.5 * SPEED['robot'] / FPS
            position = position + move * min(1.0, limit / max(np.linalg.norm(move), 1e-9))
            grip += np.clip(rows[row, 6] - grip, -0.2, 0.2)
            frame += 1
    return float(np.linalg.norm(position - target)), float(grip)


def successes(policy, seed=1000, count=20):
    """Share of squares that it reaches within 2 cm and closes at."""
    found = targets(np.random.default_rng(seed), count)
    ends = [rollout(policy, target, i) for i, target in enumerate(found)]
    return float(np.mean([d < 0.02 and g > 0.6 * CLOSED for d, g in ends]))
