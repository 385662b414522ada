"""How a vendor's stack is reached: names, and how long its silence is endured."""

from dataclasses import dataclass

from mimic_core.driver.params import DriverParams
from mimic_core.params import param

_STAYS_STIFF = 'no topic of the stack takes the torque off'


@dataclass(frozen=True, kw_only=True)
class JtcParams(DriverParams):
    """Parameters of a driver before a vendor's stack. Empty names: those of the stack."""

    on_lost_client: str = param(
        f'Then: hold; {_STAYS_STIFF}.', 'hold', choices=('hold',)
    )  # fmt: skip
    on_deactivate: str = param(
        f'When deactivated: hold; {_STAYS_STIFF}.', 'hold', choices=('hold',)
    )  # fmt: skip
    # Beside `stale_after`, which has passed by then.
    lost_after: float = param(
        'Without a good reply for so long the device counts as lost [s].', 0.05, low=0.01, high=5.0
    )
    namespace: str = param("Of the stack's topics; empty: that of the stack, / is the root.", '')
    controller: str = param('Of the arm; empty: that of the stack.', '')
    joints: tuple[str, ...] = param(
        "The stack's names of the joints, from the base on; empty: those of the stack.", ()
    )
    state_topic: str = param('Joint states of the stack.', 'joint_states')
    command: str = param(
        'trajectory: <controller>/joint_trajectory; forward: <controller>/commands, positions '
        'in the order of the joints.',
        'trajectory', choices=('trajectory', 'forward'),
    )  # fmt: skip
    time_from_start: float = param(
        'When a set-point shall be reached [s]; 0: one period.', 0.0, low=0.0, high=1.0
    )
    controller_manager: str = param(
        'Asked for the state of the controller, and to switch it on; empty: never.',
        'controller_manager',
    )
    stale_after: float = param('Oldest joint state that counts [s].', 0.1, low=0.01, high=5.0)
    check_stamps: bool = param(
        'The stamps of joint states are those of this clock; false: the time of receipt counts.',
        True,
    )
    open_timeout: float = param('Wait for the stack at the start [s].', 5.0, low=0.1, high=60.0)


@dataclass(frozen=True)
class Stack:
    """What a stack calls its things; absolute where they start with a slash."""

    name: str  # for people
    namespace: str  # '' is the root
    controller: str
    joints: tuple[str, ...]  # in the order of the registry
    manager: str  # of the controllers; '' where there is none
    state_topic: str

    @classmethod
    def chosen(
        cls, name: str, params: JtcParams, namespace: str, controller: str, joints: tuple[str, ...]
    ) -> 'Stack':
        """Return a stack's own names, but for those that a person chose."""
        return cls(
            name=name,
            namespace=(params.namespace or namespace).strip('/'),
            controller=params.controller or controller,
            joints=params.joints or joints,
            manager=params.controller_manager,
            state_topic=params.state_topic,
        )

    def topic(self, name: str) -> str:
        """Return the absolute name of a topic or service of the stack."""
        if name.startswith('/'):
            return name
        return f'/{self.namespace}/{name}' if self.namespace else f'/{name}'
