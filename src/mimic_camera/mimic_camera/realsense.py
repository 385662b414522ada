"""Frames of an Intel RealSense: colour, depth aligned to it, and the device's own intrinsics."""

import contextlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

import numpy as np

from mimic_camera.source import Clock
from mimic_core.camera import Frame, Intrinsics
from mimic_core.errors import SourceError

WAIT_MS: Final = 1000  # [ms] for a frame, then the device counts as gone


def load_sdk() -> ModuleType:
    """Return the pyrealsense2 module; raises SourceError that says how to get it."""
    try:
        import pyrealsense2
    except ImportError as error:
        raise SourceError(
            f'pyrealsense2 cannot be loaded ({error}); it needs libusb: '
            'sudo apt-get install libusb-1.0-0'
        ) from error
    return pyrealsense2


class RealSenseSource:
    """A D400 camera through pyrealsense2; opened again by the reader after an unplug."""

    live = True

    def __init__(
        self,
        serial: str,
        clock: Clock,
        frame_id: str,
        *,
        size: tuple[int, int] = (640, 480),
        rate: int = 30,
        start: Callable[[], tuple[Any, float]] | None = None,
    ) -> None:
        """Keep the settings.

        Args:
            serial: Of the device; empty: the first one.
            clock: Of the stamps when the device has only its own clock [s].
            frame_id: Of the frames.
            size: Width and height of both streams [px].
            rate: [Hz]
            start: Starts streaming and returns something with `wait_for_frames(ms)` and the depth
                scale [m per count]; by default the SDK's pipeline.
        """
        self._serial, self._clock, self._frame_id = serial, clock, frame_id
        self._size, self._rate = size, rate
        self._start = start or self._start_pipeline
        self._stream: Any = None
        self._align: Any = None
        self._depth_scale = 0.001
        self._last_number = -1

    def _start_pipeline(self) -> tuple[Any, float]:
        rs = load_sdk()
        serials = [d.get_info(rs.camera_info.serial_number) for d in rs.context().query_devices()]
        if not serials:
            raise SourceError('no RealSense camera is connected')
        if self._serial and self._serial not in serials:
            raise SourceError(
                f'no RealSense camera {self._serial}; connected: {", ".join(serials)}'
            )
        config = rs.config()
        if self._serial:
            config.enable_device(self._serial)
        config.enable_stream(rs.stream.depth, *self._size, rs.format.z16, self._rate)
        config.enable_stream(rs.stream.color, *self._size, rs.format.rgb8, self._rate)
        pipeline = rs.pipeline()
        profile = pipeline.start(config)
        return pipeline, profile.get_device().first_depth_sensor().get_depth_scale()

    def open(self) -> None:
        """Start both streams."""
        rs = load_sdk()
        try:
            self._stream, self._depth_scale = self._start()
        except RuntimeError as error:
            raise SourceError(f'the RealSense camera does not start: {error}') from error
        self._align = rs.align(rs.stream.color)
        self._last_number = -1

    def read(self) -> Frame:
        """Return the next pair of colour and aligned depth."""
        if self._stream is None:
            raise SourceError('the RealSense camera is not open')
        rs = load_sdk()
        while True:
            try:
                pair = self._align.process(self._stream.wait_for_frames(WAIT_MS))
                color, depth = pair.get_color_frame(), pair.get_depth_frame()
            except RuntimeError as error:
                raise SourceError(f'the RealSense camera stopped: {error}') from error
            # The SDK repeats the last colour frame when only depth is new.
            if color and depth and color.get_frame_number() != self._last_number:
                break
        self._last_number = color.get_frame_number()
        stamp = self._clock()
        if color.get_frame_timestamp_domain() != rs.timestamp_domain.hardware_clock:
            stamp = color.get_timestamp() * 1e-3
        # Both arrays alias memory of the SDK.
        counts = np.asanyarray(depth.get_data())
        if abs(self._depth_scale - 0.001) < 1e-9:
            depth_mm = counts.astype(np.uint16, copy=True)
        else:
            depth_mm = np.clip(counts * (self._depth_scale * 1e3), 0, 65535).astype(np.uint16)
        return Frame(
            np.asanyarray(color.get_data()).copy(),
            self._intrinsics(color.get_profile().as_video_stream_profile().get_intrinsics()),
            stamp,
            self._frame_id,
            depth_mm,
        )

    @staticmethod
    def _intrinsics(sdk: Any) -> Intrinsics:
        # D400 colour is delivered rectified; its inverse Brown-Conrady coefficients are zero.
        model = str(sdk.model)
        coefficients = tuple(float(c) for c in sdk.coeffs)
        if 'brown_conrady' not in model and any(coefficients):
            raise SourceError(f'distortion model {model} is not supported')
        return Intrinsics(sdk.width, sdk.height, sdk.fx, sdk.fy, sdk.ppx, sdk.ppy, coefficients)

    def close(self) -> None:
        """Stop streaming."""
        if self._stream is not None:
            with contextlib.suppress(RuntimeError, AttributeError):  # it may be gone already
                self._stream.stop()
            self._stream = None
