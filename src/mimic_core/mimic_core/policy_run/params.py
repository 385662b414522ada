"""Parameters of every node that runs a policy."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class RunParams:
    """Checked once, when the node starts."""

    checkpoint: str = param('Folder of what was learned; see the README.')
    arm: str = param("Name of an arm in config/robots; empty: the checkpoint's.", '')
    hand: str = param("Name of a hand in config/robots; empty: the checkpoint's.", '')
    prefix: str = param('Put before every joint name.', '')
    task: str = param("What is to be done; empty: the checkpoint's, another is refused.", '')
    threads: int = param('Of torch [1].', 1, low=1, high=64)
    autostart: bool = param('Run at once, until mode policy is left.', False)
    start_posture: str = param(
        'Posture to which control/move_to brings the robot before autostart: home, open or '
        'closed; empty: it begins where it is.', ''
    )  # fmt: skip
    record: bool = param('Record each run as an episode, where there is a recorder.', False)
