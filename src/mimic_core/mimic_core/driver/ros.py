"""The node of every driver: lifecycle, topics, services and diagnostics around a session."""

import array
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_srvs.srv import SetBool, Trigger
from trajectory_msgs.msg import JointTrajectory

from mimic_core import process, ros
from mimic_core.driver.device import Device, Reading
from mimic_core.driver.loop import Loop
from mimic_core.driver.params import DriverParams
from mimic_core.driver.session import DriverSession, DriverState
from mimic_core.errors import DeviceError, MimicError, UnknownNameError
from mimic_core.limits import JointLimits, SiteLimits
from mimic_interfaces.msg import TactileArray
from mimic_interfaces.msg import TactilePad as TactilePadMsg

P = TypeVar('P', bound=DriverParams)

_GIL_SWITCH = 5e-4  # [s] the loop gets the interpreter within that, default 5 ms
_RATE_SPAN = 0.9  # [s]
_TRIES = 3  # to leave a device as it shall be left, before it is let go
_LEVELS = {
    DriverState.ACTIVE: ros.OK,
    DriverState.INACTIVE: ros.OK,
    DriverState.UNCONFIGURED: ros.OK,
    DriverState.FAULT: ros.ERROR,
    DriverState.LOST: ros.ERROR,
}


class DriverNode(LifecycleNode):
    """Configure opens the device, activate lets it move, deactivate holds or goes limp.

    A device's node is a subclass that names its parts and makes its device.
    """

    parts: ClassVar[tuple[str, ...]] = ('hand',)  # whose `<part>_controller` topics it takes

    def __init__(
        self,
        name: str,
        params: type[P],
        make_device: Callable[[P, SiteLimits], tuple[Device, JointLimits, float]],
        **options: Any,
    ) -> None:
        """Declare parameters, make the device and, with autostart, bring it to active.

        Args:
            name: Of the node.
            params: Its parameters.
            make_device: Takes the parameters and the site's limits; returns the device (not open),
                the limits of its joints and its rate [Hz].
            options: Of rclpy's node.
        """
        super().__init__(name, **options)
        self.params = ros.declare_params(self, params)
        device, limits, rate = make_device(self.params, ros.nested_params(self, 'limits'))
        settings = replace(self.params, rate=self.params.rate or rate)
        self.session = DriverSession(device, limits, settings, self._announce)
        self.loop = Loop(self.session, lambda: ros.now(self), self._publish)
        self._names = [self.params.prefix + joint for joint in device.joints]
        self._joint_names = dict(zip(self._names, device.joints, strict=True))
        self._states = self.create_publisher(
            JointState, 'joint_states', ros.publisher_qos('joint_states')
        )
        self._tactile = self.create_publisher(
            TactileArray, 'tactile', ros.publisher_qos('tactile')
        )
        for part in self.parts:
            topic = f'{part}_controller/joint_trajectory'
            self.create_subscription(JointTrajectory, topic, self._on_command, ros.COMMAND_QOS)
        self.create_service(SetBool, f'{name}/set_torque', self._on_torque)
        self.create_service(Trigger, f'{name}/reset', self._on_reset)
        self._diagnostics = ros.Diagnostics(self, self._report)
        self._rate, self._rate_of = 0.0, (ros.now(self), 0)
        self._watch = self.create_timer(1.0, self._watch_loop)
        if self.params.autostart:
            self._start()

    # Lifecycle ------------------------------------------------------------------------------

    def on_configure(self, _: LifecycleState) -> TransitionCallbackReturn:
        """Open the device and start reading it."""
        if not self._try(lambda: self.session.configure(ros.now(self))):
            return TransitionCallbackReturn.FAILURE
        self.get_logger().info(f'connected: {self.session.status.identity}')
        self.loop.start()
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let it move, from where it is."""
        if not self._try(lambda: self.session.activate(ros.now(self))):
            return TransitionCallbackReturn.FAILURE
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Hold or go limp, as configured."""
        self._try(self.session.deactivate)
        return super().on_deactivate(state)

    def on_cleanup(self, _: LifecycleState) -> TransitionCallbackReturn:
        """Close the device."""
        self.loop.stop()
        self.session.cleanup()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, _: LifecycleState) -> TransitionCallbackReturn:
        """Leave the device as after deactivate and cleanup."""
        self._leave()
        return TransitionCallbackReturn.SUCCESS

    def destroy_node(self) -> None:
        """Leave the device as after deactivate and cleanup, whatever ends the process."""
        self._leave()
        super().destroy_node()

    def _leave(self) -> None:
        self.loop.stop()
        for _ in range(_TRIES):
            if self._try(self.session.deactivate):
                break
        self.session.cleanup()

    def _start(self) -> None:
        try:
            for step in (self.trigger_configure, self.trigger_activate):
                if step() != TransitionCallbackReturn.SUCCESS:
                    raise DeviceError(self._failure)
        except (DeviceError, KeyboardInterrupt):
            self._leave()  # nobody destroys a node that was never made
            raise

    def _try(self, act: Callable[[], None]) -> bool:
        self._failure = ''
        try:
            act()
        except DeviceError as error:
            self._failure = str(error)
            self.get_logger().error(self._failure)
        return not self._failure

    # Topics ---------------------------------------------------------------------------------

    def _on_command(self, msg: JointTrajectory) -> None:
        try:
            command = ros.command_from_msg(msg)
            names = tuple(map(self._without_prefix, command.names))
        except MimicError as error:
            refusal: str | None = self.session.refuse(str(error))
        else:
            refusal = self.session.take(replace(command, names=names), ros.now(self))
        if refusal:
            self.get_logger().warning(f'refused {refusal}', throttle_duration_sec=1.0)
        else:
            self.loop.wake()

    def _without_prefix(self, name: str) -> str:
        if name not in self._joint_names:
            raise UnknownNameError('joint', name, self._names)
        return self._joint_names[name]

    def _publish(self, reading: Reading) -> None:
        msg = JointState(name=self._names)
        msg.header.stamp = ros.to_stamp(reading.stamp or 0.0)
        msg.position = array.array('d', reading.position.tobytes())
        if reading.velocity is not None:
            msg.velocity = array.array('d', reading.velocity.tobytes())
        if reading.effort is not None:
            msg.effort = array.array('d', reading.effort.tobytes())
        with ros.publishing(self):
            self._states.publish(msg)
            if reading.tactile:
                self._tactile.publish(self._tactile_to_msg(reading, msg))

    def _tactile_to_msg(self, reading: Reading, states: JointState) -> TactileArray:
        pads = [
            TactilePadMsg(
                name=self.params.prefix + pad.name,
                force=array.array('f', pad.force.astype(np.float32).tobytes()),
            )
            for pad in reading.tactile
        ]
        return TactileArray(header=states.header, pads=pads)

    def _on_torque(self, request: SetBool.Request, reply: SetBool.Response) -> object:
        reply.success = self._try(lambda: self.session.set_torque(request.data, ros.now(self)))
        reply.message = self._failure
        return reply

    def _on_reset(self, _: Trigger.Request, reply: Trigger.Response) -> object:
        reply.success = self._try(lambda: self.session.reset(ros.now(self)))
        reply.message = self._failure
        return reply

    # State ----------------------------------------------------------------------------------

    def _announce(self) -> None:
        status = self.session.status
        if status.message:
            self.get_logger().warning(f'{status.state.value}: {status.message}')
        with ros.publishing(self):
            self._diagnostics.publish()

    def _watch_loop(self) -> None:
        running = self.session.status.state != DriverState.UNCONFIGURED
        if running and not self.loop.alive:
            raise DeviceError('the loop of the driver died: see the trace above')

    def _report(self) -> tuple[bytes, str, dict[str, object]]:
        status, now = self.session.status, ros.now(self)
        then, reads = self._rate_of
        if now - then >= _RATE_SPAN:  # what changed is told at once, the rate over a second
            self._rate, self._rate_of = (status.reads - reads) / (now - then), (now, status.reads)
        warning = status.message or '; '.join((*status.warnings, *status.health.warnings))
        level = _LEVELS[status.state]
        if level == ros.OK and warning:
            level = ros.WARN
        values: dict[str, object] = {
            'state': status.state.value,
            'device': status.identity,
            'torque': status.torque,
            'client': status.client,
            'rate': f'{self._rate:.1f}',
            'missed periods': self.loop.missed,
            'reconnects': status.reconnects,
            'accepted': status.accepted,
            'refused': status.refused,
        }
        values |= {f'errors: {kind}': count for kind, count in sorted(status.errors.items())}
        values |= {f'temperature: {k}': f'{v:.1f}' for k, v in status.health.temperature.items()}
        values |= {f'current: {k}': f'{v:.3f}' for k, v in status.health.current.items()}
        if status.health.voltage is not None:
            values['voltage'] = f'{status.health.voltage:.1f}'
        return level, warning or status.state.value, values | dict(status.health.details)


def run(make_node: Callable[[], DriverNode]) -> None:
    """Be the main() of a driver's node."""
    sys.setswitchinterval(_GIL_SWITCH)
    ros.run(make_node, first=process.CONTROL)
