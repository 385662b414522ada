"""Who works before the demonstrator's camera: the twin's task, or what another package shows."""

from typing import Protocol

from mimic_core.arrays import FloatArray
from mimic_core.camera import Frame
from mimic_core.errors import ConfigError
from mimic_core.plug_in import import_plug_in
from mimic_sim.demonstrator import DemonstratorStream, DemoState, Plan, Sight
from mimic_sim.demonstrator_params import DemonstratorParams
from mimic_sim.studio import GroundTruth, Studio


class ShowingStream(Protocol):
    """Pictures of a person with the truth. Belongs to the thread that made it."""

    params: DemonstratorParams
    studio: Studio
    last: DemoState | None

    @property
    def world_T_camera(self) -> FloatArray:  # noqa: N802
        """The true pose (4, 4) of the camera."""

    @property
    def done(self) -> bool:
        """It is over."""

    def see(self, sight: Sight) -> None:
        """Tell the person what the robot does."""

    def at(self, time: float, stamp: float | None = None) -> tuple[Frame, GroundTruth]:
        """Return the picture of a time [s] since the start; stamp: of the frame [s]."""

    def close(self) -> None:
        """Free the graphics memory."""


def open_stream(params: DemonstratorParams, plan: Plan | None) -> ShowingStream:
    """Return the pictures that the parameters ask for.

    Args:
        params: With a provider, it decides.
        plan: Of the twin's task, without one.

    Raises:
        ConfigError: There is no such provider.
    """
    if not params.provider:
        return DemonstratorStream(params, plan)
    module, _, function = params.provider.partition(':')
    try:
        make = getattr(import_plug_in(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"provider '{params.provider}' is no module:function: {error}"
        ) from error
    stream: ShowingStream = make(params)
    return stream
