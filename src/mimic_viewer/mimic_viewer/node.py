"""The viewer node: topics to the page, buttons to services and actions."""

from functools import partial

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import Image, JointState
from std_srvs.srv import Trigger

from mimic_core import ros
from mimic_core.errors import MimicError
from mimic_core.frames import WORLD
from mimic_description import load_robot
from mimic_interfaces.action import MoveTo, RunPolicy
from mimic_interfaces.msg import (
    ControlStatus,
    EpisodeStatus,
    HandArray,
    PolicyStatus,
    TwinStatus,
)
from mimic_interfaces.srv import ResetTwin, SetMode, StartEpisode
from mimic_viewer.calls_node import GoalCaller, service_caller
from mimic_viewer.page import Actions, Page
from mimic_viewer.params import ViewerParams

_STATES = ('idle', 'shadow', 'policy', 'replay', 'hold', 'stopped')
_POLICY = ('idle', 'running', 'hold', 'person')
_EPISODES = ('idle', 'recording', 'saved', 'discarded', 'failed')
_SIDES = ('left', 'right')


class ViewerNode(Node):
    """Show robot, hands, camera and state; call services and actions for the operator."""

    def __init__(self, **options: object) -> None:
        super().__init__('viewer', **options)
        self._params = params = ros.declare_params(self, ViewerParams)
        self._robot = load_robot(params.arm, params.hand, params.prefix)
        self._latest: dict[str, object] = {}
        self._rows: dict[str, str] = {}
        self._static = ros.StaticFrames(self)
        for topic, kind in (
            ('hand_tracking/hands', HandArray),
            ('twin/status', TwinStatus),
            ('control/status', ControlStatus),
            ('policy/status', PolicyStatus),
            ('episode/status', EpisodeStatus),
            ('camera/color/image_raw', Image),
        ):
            keep = partial(self._latest.__setitem__, topic)
            self.create_subscription(kind, topic, keep, ros.subscription_qos(topic))
        self._position: dict[str, float] = {}  # arm and hand may have drivers of their own
        self._moved = False
        qos = ros.subscription_qos('joint_states')
        self.create_subscription(JointState, 'joint_states', self._on_joints, qos)
        self._page = Page(self._robot, self._actions(), params.host, params.port, params.task)
        self.create_timer(1.0 / params.rate, self._draw)
        self.create_timer(1.0 / params.image_rate, self._draw_picture)
        self.get_logger().info(f'the page is at http://{params.host}:{self._page.port}')

    def _on_joints(self, msg: JointState) -> None:
        self._position.update(zip(msg.name, msg.position, strict=False))
        self._moved = True

    def _actions(self) -> Actions:
        caller = partial(service_caller, self, self._tell)
        home = GoalCaller(self, self._tell, MoveTo, 'control/move_to', MoveTo.Goal(posture='home'))
        policy = GoalCaller(self, self._tell, RunPolicy, 'policy/run', RunPolicy.Goal())
        return Actions(
            shadow=caller(SetMode, 'control/set_mode', mode=ControlStatus.SHADOW),
            idle=caller(SetMode, 'control/set_mode', mode=ControlStatus.IDLE),
            stop=caller(Trigger, 'control/stop'),
            clear=caller(Trigger, 'control/clear'),
            start_episode=caller(StartEpisode, 'episode/start'),
            stop_episode=caller(Trigger, 'episode/stop'),
            discard_episode=caller(Trigger, 'episode/discard'),
            reset_twin=caller(ResetTwin, 'twin/reset', seed=-1),
            reset_arm=caller(Trigger, 'arm_driver/reset'),
            reset_hand=caller(Trigger, 'hand_driver/reset'),
            home=home.send,
            start_policy=policy.send,
            stop_policy=policy.cancel,
        )

    def _tell(self, text: str) -> None:
        self._rows['last button'] = text

    def _draw(self) -> None:
        q = np.array([self._position.get(n, np.nan) for n in self._robot.joint_names])
        if self._moved and np.isfinite(q).all():
            self._page.show_joints(q)
            self._moved = False
        hands = self._latest.pop('hand_tracking/hands', None)
        if hands is not None:
            world_T_camera = self._static.lookup(WORLD, hands.header.frame_id)
            drawn = {}
            for hand in hands.hands if world_T_camera is not None else ():
                points = np.array([(p.x, p.y, p.z) for p in hand.keypoints])
                points = points @ world_T_camera[:3, :3].T + world_T_camera[:3, 3]
                drawn[_SIDES[hand.side]] = points
            self._page.show_hands(drawn)
        twin = self._latest.pop('twin/status', None)
        if twin is not None:
            self._page.show_objects({o.name: ros.pose_from_msg(o.pose) for o in twin.objects})
            self._rows['task'] = f'{twin.task}: {"done" if twin.success else "not yet"}'
        control = self._latest.pop('control/status', None)
        if control is not None:
            text = f'{_STATES[control.state]} {control.source}'.strip()
            self._rows['gate'] = f'{text}: {control.reason}' if control.reason else text
            known = np.isfinite(control.latency)
            self._rows['latency'] = f'{control.latency * 1e3:.0f} ms' if known else 'no command'
        policy = self._latest.pop('policy/status', None)
        if policy is not None:
            self._rows['policy'] = f'{_POLICY[policy.state]} {policy.reason}'
        episode = self._latest.pop('episode/status', None)
        if episode is not None:
            self._rows['episode'] = f'{_EPISODES[episode.state]} {episode.path} {episode.reason}'
        self._page.show_status(self._rows)

    def _draw_picture(self) -> None:
        msg = self._latest.pop('camera/color/image_raw', None)
        if msg is None:
            return
        try:
            self._page.show_picture(ros.image_from_msg(msg)[::2, ::2])
        except MimicError as error:
            self._rows['camera'] = str(error)

    def destroy_node(self) -> None:
        """Close the page with the node."""
        self._page.close()
        super().destroy_node()


def main() -> None:
    """Run the node until it is stopped."""
    ros.run(ViewerNode)
