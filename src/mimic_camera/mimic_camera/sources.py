"""Make the source that the parameters ask for."""

from pathlib import Path
from typing import Any, Final

from mimic_camera.bag import BagSource
from mimic_camera.calibration import Calibration
from mimic_camera.params import CameraParams
from mimic_camera.realsense import RealSenseSource
from mimic_camera.source import Clock, Source
from mimic_camera.video import VideoSource
from mimic_camera.webcam import WebcamSource
from mimic_core.errors import ConfigError, UnknownNameError
from mimic_core.plug_in import import_plug_in

KNOWN: Final = ('twin', 'realsense', 'webcam', 'video', 'bag')
# The twin is a source like any other; the camera package does not depend on the simulator.
TWIN: Final = 'mimic_sim.demonstrator_source:DemonstratorSource'


def open_source(params: CameraParams, calibration: Calibration | None, clock: Clock) -> Source:
    """Return the source, not yet opened.

    Raises:
        UnknownNameError: No such source.
        ConfigError: A parameter that the source needs is missing.
    """
    intrinsics = calibration.intrinsics if calibration else None
    size = (params.width, params.height)
    if params.source in ('video', 'bag') and not params.path:
        raise ConfigError(f"source {params.source} needs the parameter 'path'")
    if params.source == 'video':
        return VideoSource(
            Path(params.path), clock, params.frame_id, intrinsics,
            fovy=params.fovy, real_time=params.real_time, loop=params.loop,
        )  # fmt: skip
    if params.source == 'bag':
        return BagSource(
            Path(params.path), clock, params.frame_id,
            camera=params.bag_camera, real_time=params.real_time, loop=params.loop,
        )  # fmt: skip
    if params.source == 'webcam':
        return WebcamSource(
            params.device or '0', clock, params.frame_id, intrinsics,
            size=size, rate=params.rate, fovy=params.fovy,
        )  # fmt: skip
    if params.source == 'realsense':
        return RealSenseSource(
            params.device, clock, params.frame_id, size=size, rate=round(params.rate)
        )
    if params.source == 'twin' or ':' in params.source:
        return _plug_in(TWIN if params.source == 'twin' else params.source, params, clock)
    raise UnknownNameError('camera source', params.source, KNOWN)


def _plug_in(name: str, params: CameraParams, clock: Clock) -> Source:
    module_name, _, class_name = name.partition(':')
    try:
        cls: Any = getattr(import_plug_in(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"camera source '{name}' cannot be loaded: {error}") from error
    source: Source = cls(params, clock)
    return source
