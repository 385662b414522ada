"""Parameters of the camera node."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class CameraParams:
    """Checked once, when the node starts."""

    source: str = param(
        'twin, realsense, webcam, video or bag; or module:Class of a source of your own.', 'twin'
    )
    device: str = param(
        'Webcam index or path; serial number of a RealSense; empty: the first.', ''
    )
    path: str = param('File of source video, folder or file of source bag.', '')
    bag_camera: str = param('Prefix of the camera topics in the bag.', 'camera')
    calibration: str = param('YAML file with pose and intrinsics; empty: neither is known.', '')
    frame_id: str = param('Optical frame of the pictures.', 'camera_color_optical_frame')
    width: int = param('Width asked of a device [px].', 640, low=64, high=4096)
    height: int = param('Height asked of a device [px].', 480, low=48, high=4096)
    rate: float = param('Rate asked of a device [Hz].', 30.0, low=1.0, high=120.0)
    fovy: float = param(
        'Vertical field of view assumed without intrinsics [rad].', 0.75, low=0.1, high=2.5
    )
    real_time: bool = param('Files: deliver frames when they are due, else at once.', True)
    loop: bool = param('Files: begin again at the end.', False)
    exit_at_end: bool = param('End the node with exit code 0 at the end of a file.', False)
    seed: int = param('Source twin: seed of the virtual demonstrator.', 0, low=0)
