"""A person who handles a thing, before the camera."""

from collections.abc import Iterator

import numpy as np

from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame, Intrinsics
from mimic_core.hand import Side
from mimic_sim.demonstrator import DemoState, Plan, Sight, camera_of, variation_of
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.handling import Handler, Handling
from mimic_sim.studio import GroundTruth, Prop, Studio


class HandlingStream:
    """Pictures of a handling with the truth. Belongs to the thread that made it."""

    def __init__(
        self,
        params: DemonstratorParams,
        handling: Handling,
        props: tuple[Prop, ...],
        *,
        plan: Plan,
        standing: dict[str, FloatArray] | None = None,
    ) -> None:
        """Build the studio, which takes about a second.

        Args:
            params: Who shows it, seen from where.
            handling: What is done.
            props: How the thing looks, and what else stands there.
            plan: Where the workspace is.
            standing: world_T_prop (4, 4) of what stands still.
        """
        self.params, self._standing = params, dict(standing or {})
        intrinsics, world_T_camera = camera_of(params, plan)
        self.studio = Studio(
            variation_of(params), intrinsics, world_T_camera,
            workspace=plan.workspace, props=props, depth=params.depth,
        )  # fmt: skip
        side: Side = 'left' if params.side == 'left' else 'right'
        self.handler = Handler(
            handling,
            self.studio.hand,
            workspace=plan.workspace,
            radius=plan.radius,
            side=side,
            rng=np.random.default_rng([params.seed, 11]),
            start_delay=params.start_delay,
            speed=params.speed,
            tremor=params.tremor,
        )
        self.last: DemoState | None = None
        self._done = False

    @property
    def world_T_camera(self) -> FloatArray:  # noqa: N802
        """The true pose (4, 4) of the camera."""
        return self.studio.world_T_camera

    @property
    def intrinsics(self) -> Intrinsics:
        """Of the camera."""
        return self.studio.intrinsics

    @property
    def done(self) -> bool:
        """The hand is back."""
        return self._done

    def see(self, sight: Sight) -> None:
        """Nothing: who works with bare hands does not watch a robot."""

    def at(self, time: float, stamp: float | None = None) -> tuple[Frame, GroundTruth]:
        """Return the picture of a time [s] since the start.

        Args:
            time: Since the start [s].
            stamp: Of the frame [s], else the time.
        """
        state = self.handler.state(time)
        self._done = time >= self.handler.duration
        self.last = state
        moment = time if stamp is None else stamp
        objects = {**self._standing, **state.objects}
        return self.studio.render(state.hand, objects, moment, phase=state.phase)

    def frames(self, duration: float | None = None) -> Iterator[tuple[Frame, GroundTruth]]:
        """Yield pictures at the rate of the parameters until the end or for a duration [s]."""
        index = 0
        end = self.handler.duration if duration is None else duration
        while index / self.params.rate < end:
            yield self.at(index / self.params.rate)
            index += 1

    def close(self) -> None:
        """Free the graphics memory."""
        self.studio.close()
