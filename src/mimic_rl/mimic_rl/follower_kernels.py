"""Compiled loops over B robots of J joints: what their gates send in the steps of the physics."""

from mimic_core.arrays import FloatArray, IntArray
from mimic_retargeting.compiled import compiled


@compiled
def send(
    q: FloatArray,
    v: FloatArray,
    a: FloatArray,
    points: FloatArray,
    speeds: FloatArray,
    offer: IntArray,
    elapsed: FloatArray,
    period: float,
    horizons: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
    max_v: FloatArray,
    max_a: FloatArray,
    max_j: FloatArray,
    goal_v: FloatArray,
    past: float,
    sent: FloatArray,
) -> None:
    """Move what gates send on for S periods, towards points that go on at a speed.

    On the quintic of the first horizon whose path keeps the bounds; where none does, at the bounds
    of acceleration and jerk as fast as may be. The quintic and its bounds are a copy, one joint at
    a time, of those of `mimic_control.limiter.JointLimiter._smooth`; test_follower compares what
    the two send.

    Args:
        q: (B, J) in and out: what is sent [rad] or [m].
        v: (B, J) in and out: its speed.
        a: (B, J) in and out: its acceleration.
        points: (O, B, J) asked for, one after the other.
        speeds: (O, B, J) with which each goes on.
        offer: (S,) which of them holds in a period.
        elapsed: (S,) for how long that goes on since [s].
        period: Of a step [s].
        horizons: (H,) of paths, the shortest first [s].
        lower: (J,) bounds of q.
        upper: (J,) bounds of q.
        max_v: (J,) of speed.
        max_a: (J,) of acceleration.
        max_j: (J,) of jerk.
        goal_v: (J,) of the speed at the end of a path.
        past: Share of the way by which a path may run past its end [1].
        sent: (B, S, J) out, within the bounds of q.
    """
    for row in range(q.shape[0]):
        for j in range(q.shape[1]):
            low, high, most_a, most_j = lower[j], upper[j], max_a[j], max_j[j]
            x, w, b = q[row, j], v[row, j], a[row, j]
            for step in range(offer.shape[0]):
                point, speed = points[offer[step], row, j], speeds[offer[step], row, j]
                steady = min(max(speed, -goal_v[j]), goal_v[j])
                fastest = max(max_v[j], abs(w))
                found = False
                for h in horizons:
                    end = point + speed * (elapsed[step] + h)
                    goal = min(max(end, low), high)
                    final = steady if goal == end else 0.0
                    # Relative to where the goal would have been now, in units of the horizon.
                    x0, v0, a0 = x - goal + final * h, (w - final) * h, b * h * h
                    d, e = -x0 - v0 - 0.5 * a0, -v0 - a0
                    c3 = 10.0 * d - 4.0 * e - 0.5 * a0
                    c4 = -15.0 * d + 7.0 * e + a0
                    c5 = 6.0 * d - 3.0 * e - 0.5 * a0
                    found = _keeps(
                        x0, v0, a0, c3, c4, c5, past * abs(x0) + max_v[j] * period, final * h,
                        fastest * h, most_a * h * h, most_j * h * h * h,
                    )  # fmt: skip
                    if found:
                        s = period / h
                        way = x0 + s * (v0 + s * (0.5 * a0 + s * (c3 + s * (c4 + s * c5))))
                        slope = v0 + s * (a0 + s * (3 * c3 + s * (4 * c4 + s * 5 * c5)))
                        bend = a0 + s * (6 * c3 + s * (12 * c4 + s * 20 * c5))
                        x, w = goal + final * (period - h) + way, slope / h + final
                        b = bend / (h * h)
                        break
                if not found:
                    goal = min(max(point + speed * elapsed[step], low), high)
                    off, excess = x - goal, w - steady
                    reach = most_a / most_j + 0.5 * abs(excess) / most_a  # [s] until it rests
                    wanted = -most_a if off + excess * reach > 0.0 else most_a
                    new = min(max(wanted, b - most_j * period), b + most_j * period)
                    x += period * w + period * period * (2.0 * b + new) / 6.0
                    w += 0.5 * period * (b + new)
                    b = new
                sent[row, step, j] = min(max(x, low), high)
            q[row, j], v[row, j], a[row, j] = x, w, b


@compiled
def _keeps(
    x0: float,
    v0: float,
    a0: float,
    c3: float,
    c4: float,
    c5: float,
    over: float,
    final: float,
    max_v: float,
    max_a: float,
    max_j: float,
) -> bool:
    """Tell if a path to 0 keeps bounds, all in units of its horizon.

    Args:
        x0: Where it begins.
        v0: Its speed there.
        a0: Its acceleration there.
        c3: Its coefficients: x0 + v0 s + a0 s² / 2 + c3 s³ + c4 s⁴ + c5 s⁵.
        c4: The next.
        c5: The last.
        over: By which it may run past 0.
        final: Speed of what the path is relative to.
        max_v: Of path and that together.
        max_a: Of its acceleration.
        max_j: Of its jerk.
    """
    # The jerk counts at both ends; what else there is at the last is zero.
    if abs(6.0 * c3) > max_j or abs(6.0 * c3 + 24.0 * c4 + 60.0 * c5) > max_j:
        return False
    for k in range(1, 4):
        s = 0.25 * k
        x = x0 + s * (v0 + s * (0.5 * a0 + s * (c3 + s * (c4 + s * c5))))
        slope = v0 + s * (a0 + s * (3 * c3 + s * (4 * c4 + s * 5 * c5)))
        bend = a0 + s * (6 * c3 + s * (12 * c4 + s * 20 * c5))
        turn = 6 * c3 + s * (24 * c4 + s * 60 * c5)
        if (
            abs(turn) > max_j
            or abs(bend) > max_a
            or abs(slope + final) > max_v
            or (x < -over if x0 >= 0.0 else x > over)
        ):
            return False
    return True
