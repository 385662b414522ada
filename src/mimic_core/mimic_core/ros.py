"""The one file of mimic_core that knows rclpy: parameters, QoS, time, spinning, diagnostics."""

import dataclasses
import math
import signal
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar, get_origin

import numpy as np
import numpy.typing as npt
import rclpy
from builtin_interfaces.msg import Time as TimeMsg
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Pose, Transform, TransformStamped
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    ParameterType,
    SetParametersResult,
)
from rclpy.context import Context
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMsg
from tf2_msgs.msg import TFMessage
from trajectory_msgs.msg import JointTrajectory

from mimic_core import frames, process
from mimic_core.arrays import DepthImage, FloatArray, Image
from mimic_core.camera import Intrinsics
from mimic_core.command import NamedPositions
from mimic_core.errors import (
    ConfigError,
    MimicError,
    NotFiniteError,
    ShapeError,
    UnknownNameError,
)
from mimic_core.images import decode
from mimic_core.params import check_value, from_mapping, info_of, types_of
from mimic_core.topics import TOPICS

T = TypeVar('T')

SENSOR_QOS = qos_profile_sensor_data  # consumers of sensor data (REP-2003)
SENSOR_PUBLISHER_QOS = QoSProfile(depth=10)  # sensor drivers: system default
STREAM_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
COMMAND_QOS = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.VOLATILE
)
LATCHED_QOS = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
DEFAULT_QOS = QoSProfile(depth=10)

_PUBLISH = {
    'sensor_data': SENSOR_PUBLISHER_QOS,
    'stream': STREAM_QOS,
    'command': COMMAND_QOS,
    'latched': LATCHED_QOS,
    'default': DEFAULT_QOS,
}


def publisher_qos(topic: str) -> QoSProfile:
    """Return the QoS with which a topic of the table is published."""
    return _PUBLISH[_row(topic)]


def subscription_qos(topic: str) -> QoSProfile:
    """Return the QoS with which a topic of the table is subscribed."""
    name = _row(topic)
    return SENSOR_QOS if name == 'sensor_data' else _PUBLISH[name]


def _row(topic: str) -> str:
    if topic not in TOPICS:
        raise UnknownNameError('topic', topic, TOPICS)
    return TOPICS[topic].qos


# Parameters ---------------------------------------------------------------------------------

_SCALARS: dict[Any, int] = {
    bool: ParameterType.PARAMETER_BOOL,
    int: ParameterType.PARAMETER_INTEGER,
    float: ParameterType.PARAMETER_DOUBLE,
    str: ParameterType.PARAMETER_STRING,
}
_ARRAYS: dict[Any, int] = {
    bool: ParameterType.PARAMETER_BOOL_ARRAY,
    int: ParameterType.PARAMETER_INTEGER_ARRAY,
    float: ParameterType.PARAMETER_DOUBLE_ARRAY,
    str: ParameterType.PARAMETER_STRING_ARRAY,
}


def declare_params(node: Node, cls: type[T], on_change: Callable[[T], None] | None = None) -> T:
    """Declare every field of a params dataclass on a node and return the checked values.

    Args:
        node: Who gets the parameters.
        cls: Frozen dataclass whose fields are made with `mimic_core.params.param`.
        on_change: Called with a new `cls` when a parameter marked `live` changes.

    Raises:
        ConfigError: A value is missing, of the wrong type or out of range.
    """
    kinds = types_of(cls)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        descriptor = _descriptor(field, kinds[field.name])
        try:
            node.declare_parameter(field.name, _default_of(field), descriptor)
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ConfigError(f"parameter '{field.name}': {error}") from error
    values = _read(node, cls)
    params = from_mapping(cls, values)

    def validate(changed: list[Parameter]) -> SetParametersResult:
        try:
            for parameter in changed:
                if parameter.name in kinds:
                    check_value(cls, parameter.name, _plain(parameter.value))
        except MimicError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def announce(changed: list[Parameter]) -> None:
        if on_change is not None and any(p.name in kinds for p in changed):
            on_change(from_mapping(cls, _read(node, cls)))

    node.add_on_set_parameters_callback(validate)
    node.add_post_set_parameters_callback(announce)
    return params


def param_group(node: Node, group: str) -> dict[str, Any]:
    """Return the parameters `<group>.<name>` that were given to a node, by name.

    For what has names that no dataclass can know, such as the joints of a site file. Nothing is
    declared, so a misspelled name is the reader's to find.
    """
    start = f'{group}.'
    # rclpy has no public way to list what was given and not declared.
    given = node._parameter_overrides
    if group in given and given[group].value is not None:
        raise ConfigError(f"parameter '{group}' holds names and values, not one value")
    return {
        name.removeprefix(start): _plain(parameter.value)
        for name, parameter in sorted(given.items())
        if name.startswith(start)
    }


def nested_params(node: Node, group: str) -> dict[str, dict[str, float]]:
    """Return the numbers `<group>.<name>.<field>` that were given to a node, by name and field.

    Raises:
        ConfigError: There is another depth, or a value is no number.
    """
    nested: dict[str, dict[str, float]] = {}
    for key, value in param_group(node, group).items():
        name, dot, field = key.rpartition('.')
        if not dot or not name or '.' in name:
            raise ConfigError(
                f"parameter '{group}.{key}' is not of the form {group}.<name>.<field>"
            )
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"parameter '{group}.{key}' must be a number, not {value!r}")
        nested.setdefault(name, {})[field] = float(value)
    return nested


def _default_of(field: 'dataclasses.Field[Any]') -> Any:
    if field.default is dataclasses.MISSING:
        return None
    return list(field.default) if isinstance(field.default, tuple) else field.default


def _descriptor(field: 'dataclasses.Field[Any]', kind: Any) -> ParameterDescriptor:
    info = info_of(field)
    is_array = get_origin(kind) is tuple
    scalar = kind.__args__[0] if is_array else kind
    text = info.description
    if info.choices:
        text += f' One of: {", ".join(info.choices)}.'
    descriptor = ParameterDescriptor(
        name=field.name,
        type=(_ARRAYS if is_array else _SCALARS)[scalar],
        description=text,
        read_only=not info.live,
        # A number may come as an integer ("1" in a launch file); check_value does the typing.
        dynamic_typing=is_array or scalar is float or field.default is dataclasses.MISSING,
    )
    if not is_array and (info.low is not None or info.high is not None):
        low = -1e12 if info.low is None else info.low
        high = 1e12 if info.high is None else info.high
        if scalar is int:
            descriptor.integer_range = [
                IntegerRange(from_value=int(low), to_value=int(high), step=0)
            ]
        elif scalar is float:
            descriptor.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(high), step=0.0)
            ]
    return descriptor


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, 'tolist') else value


def _read(node: Node, cls: type[Any]) -> dict[str, Any]:
    values = {}
    for field in dataclasses.fields(cls):
        value = _plain(node.get_parameter(field.name).value)
        if value is None and field.default is dataclasses.MISSING:
            raise ConfigError(f"parameter '{field.name}' of {node.get_name()} is required")
        values[field.name] = value if value is not None else field.default
    return values


# Time and geometry --------------------------------------------------------------------------


def seconds(stamp: TimeMsg | Time) -> float:
    """Return a stamp in seconds [s]; differences are exact to a microsecond."""
    if isinstance(stamp, Time):
        return stamp.nanoseconds * 1e-9
    return float(stamp.sec) + stamp.nanosec * 1e-9


def to_stamp(time: float) -> TimeMsg:
    """Return the message of a time [s]."""
    nanoseconds = round(time * 1e9)
    return TimeMsg(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)


def now(node: Node) -> float:
    """Return the node's time [s]; it follows use_sim_time."""
    return seconds(node.get_clock().now())


def pose_to_msg(to_T_from: FloatArray) -> Pose:
    """Return the message of a (4, 4) transform."""
    pose = Pose()
    pose.position.x, pose.position.y, pose.position.z = map(float, to_T_from[:3, 3])
    x, y, z, w = map(float, frames.to_quat_xyzw(to_T_from))
    pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
    return pose


def pose_from_msg(pose: Pose) -> FloatArray:
    """Return the (4, 4) transform of a message; raises NotFiniteError if it is not one."""
    p, o = pose.position, pose.orientation
    return frames.from_xyz_quat(np.array([p.x, p.y, p.z]), np.array([o.x, o.y, o.z, o.w]))


def transform_to_msg(
    parent_T_child: FloatArray, parent: str, child: str, stamp: TimeMsg
) -> TransformStamped:
    """Return the message of the pose of `child` in `parent`."""
    msg = TransformStamped()
    msg.header.stamp, msg.header.frame_id, msg.child_frame_id = stamp, parent, child
    pose = pose_to_msg(parent_T_child)
    msg.transform.translation.x = pose.position.x
    msg.transform.translation.y = pose.position.y
    msg.transform.translation.z = pose.position.z
    msg.transform.rotation = pose.orientation
    return msg


def _matrix(msg: Transform) -> FloatArray:
    t, r = msg.translation, msg.rotation
    return frames.from_xyz_quat(np.array([t.x, t.y, t.z]), np.array([r.x, r.y, r.z, r.w]))


def image_to_msg(image: Image | DepthImage, stamp: TimeMsg, frame_id: str) -> ImageMsg:
    """Return the message of an (H, W, 3) rgb8 or an (H, W) 16UC1 image [mm]."""
    msg = ImageMsg()
    msg.header.stamp, msg.header.frame_id = stamp, frame_id
    msg.height, msg.width = image.shape[:2]
    msg.encoding = 'rgb8' if image.ndim == 3 else '16UC1'
    msg.step = image.strides[0] if image.flags.c_contiguous else image.nbytes // image.shape[0]
    # An array.array is taken as it is; bytes or numpy would be checked element by element.
    data = array('B')
    data.frombytes(np.ascontiguousarray(image).data.cast('B'))
    msg.data = data
    return msg


def image_from_msg(msg: ImageMsg) -> npt.NDArray[Any]:
    """Return (H, W, 3) rgb or (H, W) of a message; see `mimic_core.images.decode`."""
    return decode(msg.encoding, msg.width, msg.height, msg.step, msg.data)


def intrinsics_to_msg(intrinsics: Intrinsics, stamp: TimeMsg, frame_id: str) -> CameraInfo:
    """Return the camera_info message."""
    msg = CameraInfo(
        height=intrinsics.height, width=intrinsics.width, distortion_model='plumb_bob'
    )
    msg.header.stamp, msg.header.frame_id = stamp, frame_id
    msg.d = list(intrinsics.distortion)
    msg.k = intrinsics.matrix.ravel()
    msg.r = np.eye(3).ravel()
    msg.p = np.hstack([intrinsics.matrix, np.zeros((3, 1))]).ravel()
    return msg


def intrinsics_from_msg(msg: CameraInfo) -> Intrinsics:
    """Return the intrinsics of a message; raises ConfigError when it was never calibrated."""
    d = (*(float(x) for x in msg.d), 0.0, 0.0, 0.0, 0.0, 0.0)[:5]
    return Intrinsics(msg.width, msg.height, msg.k[0], msg.k[4], msg.k[2], msg.k[5], d)


def command_from_msg(msg: JointTrajectory) -> NamedPositions:
    """Return the command of a message; velocities only where every point has them all.

    Raises:
        ShapeError: Points of another length than the names, no points, or names that repeat.
        NotFiniteError: NaN or infinity; says of which joint.
        StaleInputError: Times that go backwards.
    """
    names, points = tuple(msg.joint_names), msg.points
    for number, point in enumerate(points):
        if len(point.positions) != len(names):
            raise ShapeError(
                f'point {number} has {len(point.positions)} positions for {len(names)} joints'
            )
        if not all(map(math.isfinite, point.positions)):
            for name, value in zip(names, point.positions, strict=True):
                if not math.isfinite(value):
                    raise NotFiniteError(f'{name} is {value} in point {number}')
    shape = (len(points), len(names))
    velocities = None
    if points and all(len(point.velocities) == len(names) for point in points):
        velocities = np.array([point.velocities for point in points]).reshape(shape)
    times = [p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in points]
    return NamedPositions(
        names,
        np.array([point.positions for point in points]).reshape(shape),
        np.array(times),
        seconds(msg.header.stamp),
        velocities,
    )


class StaticFrames:
    """The tree of /tf_static, for fixed transforms such as base to camera.

    tf2_ros has no wheel; for transforms that move, cores compute forward kinematics themselves.
    """

    def __init__(self, node: Node) -> None:
        self._parents: dict[str, tuple[str, FloatArray]] = {}
        self._logger = node.get_logger()
        qos = QoSProfile(
            depth=100,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL,
        )
        self._subscription = node.create_subscription(TFMessage, '/tf_static', self._add, qos)

    def _add(self, msg: TFMessage) -> None:
        for item in msg.transforms:
            try:
                parent_T_child = _matrix(item.transform)
            except MimicError as error:  # whoever sent it, this node goes on with what it knows
                self._logger.error(f"/tf_static: transform of '{item.child_frame_id}': {error}")
                continue
            self._parents[item.child_frame_id] = (item.header.frame_id, parent_T_child)

    def lookup(self, to: str, source: str) -> FloatArray | None:
        """Return `to_T_source`, or None while the two frames are not connected."""
        to_root, to_chain = self._root(to)
        source_root, source_chain = self._root(source)
        if to_root != source_root:
            return None
        return frames.inverse(to_chain) @ source_chain

    def _root(self, frame: str) -> tuple[str, FloatArray]:
        root_T_frame = np.eye(4)
        for _ in range(len(self._parents) + 1):
            if frame not in self._parents:
                break
            frame, parent_T_frame = self._parents[frame]
            root_T_frame = parent_T_frame @ root_T_frame
        return frame, root_T_frame


# Diagnostics --------------------------------------------------------------------------------

OK, WARN, ERROR, STALE = (
    DiagnosticStatus.OK,
    DiagnosticStatus.WARN,
    DiagnosticStatus.ERROR,
    DiagnosticStatus.STALE,
)


class Diagnostics:
    """Publishes the state of one node on /diagnostics once a second."""

    def __init__(
        self, node: Node, report: Callable[[], tuple[bytes, str, Mapping[str, object]]]
    ) -> None:
        """Args: report: returns level (OK, WARN, ERROR, STALE), one sentence, and values."""
        self._node, self._report = node, report
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', DEFAULT_QOS)
        self._timer = node.create_timer(1.0, self.publish)

    def publish(self) -> None:
        """Publish now; also called by the timer."""
        level, message, values = self._report()
        status = DiagnosticStatus(
            level=level,
            name=self._node.get_fully_qualified_name(),
            message=message,
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)


# Running ------------------------------------------------------------------------------------

_STOP_PERIOD = 0.1  # [s] between looks whether to stop


def make_executor(context: Context) -> Executor:
    """Return the EventsExecutor where it exists: a quarter of the default one's processor time.

    Its `spin()` without a timeout never returns in the Jazzy wheels; pass one.
    """
    try:
        from rclpy.experimental import EventsExecutor
    except ImportError:
        return SingleThreadedExecutor(context=context)
    return EventsExecutor(context=context)


def make_plain_executor(context: Context) -> Executor:
    """Return the default executor, for what the EventsExecutor of the Jazzy wheels cannot do.

    It crashes on raw subscriptions whose callback takes the message information.
    """
    return SingleThreadedExecutor(context=context)


def spin(
    node: Node,
    executor_of: Callable[[Context], Executor] = make_executor,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Spin a node until ROS shuts down, or until `stopped` says so."""
    executor = executor_of(node.context)
    executor.add_node(node)
    forever = Future()
    while node.context.ok() and not stopped():
        executor.spin_until_future_complete(forever, timeout_sec=_STOP_PERIOD)


@contextmanager
def publishing(node: Node) -> Iterator[None]:
    """Surround publishing from a timer or a thread: a signal may shut ROS down in the middle."""
    try:
        yield
    except rclpy_implementation.RCLError:
        if node.context.ok():
            raise


def run(
    make_node: Callable[[], Node],
    args: list[str] | None = None,
    executor_of: Callable[[Context], Executor] = make_executor,
    *,
    first: int = 0,
    done: Callable[[], bool] = lambda: False,
    failed: Callable[[], bool] = lambda: False,
) -> None:
    """Be the main() of a node: start, spin, and leave cleanly on SIGINT and SIGTERM.

    A MimicError at the start (a bad parameter, a missing device) is logged in one line and ends
    the process with exit code 1. This function ends the process: it does not return.

    Args:
        make_node: Makes the node.
        args: Command line; default: that of the process.
        executor_of: Makes the executor.
        first: It runs before others where the system permits: `process.CONTROL` for a node that
            holds a period, `process.COMMANDS` for one that commands it.
        done: Asked all the time: whether there is nothing left to do.
        failed: Asked at the end: whether the exit code is 1 for another reason.
    """
    process.keep_malloc_pages()
    if first:
        process.run_first(first)
    # The handlers of rclpy would shut ROS down in the middle of a callback that publishes.
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except rclpy_implementation.RCLError as error:  # a wrong parameter file or a wrong argument
        rclpy.logging.get_logger('mimic').fatal(str(error).split(', at /')[0])
        raise SystemExit(1) from None
    signals: list[int] = []

    def on_signal(number: int, _: object) -> None:
        signals.append(number)
        if not spinning or len(signals) > 1:
            raise KeyboardInterrupt

    spinning = False
    code = 0
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    node = None
    try:
        node = make_node()
        process.settle()
        spinning = True
        spin(node, executor_of, lambda: bool(signals) or done())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except MimicError as error:
        logger = node.get_logger() if node is not None else rclpy.logging.get_logger('mimic')
        logger.fatal(str(error))
        code = 1
    finally:
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    process.end(1 if failed() else code)
