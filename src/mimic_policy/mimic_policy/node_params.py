"""Parameters of the node."""

from dataclasses import dataclass

from mimic_core.params import param
from mimic_policy.execution_params import ExecutionParams


@dataclass(frozen=True, kw_only=True)
class PolicyNodeParams(ExecutionParams):
    """Checked once, when the node starts."""

    checkpoint: str = param('Folder of a checkpoint, or of a training run: its newest one.')
    arm: str = param("Name of an arm in config/robots; empty: the checkpoint's.", '')
    hand: str = param("Name of a hand in config/robots; empty: the checkpoint's.", '')
    prefix: str = param('Put before every joint name.', '')
    task: str = param("What is to be done; empty: the checkpoint's, another is refused.", '')
    device: str = param('Of torch: cpu or cuda.', 'cpu')
    inference_steps: int = param('Of DDIM [1]; 0: as trained.', 0, low=0, high=1000)
    threads: int = param('Of torch [1].', 1, low=1, high=64)
    noise_seed: int = param('Of the noise that predictions start from.', 0, low=0)
    autostart: bool = param('Run at once, until mode policy is left.', False)
    start_posture: str = param(
        'Posture to which control/move_to brings the robot before autostart: home, open or '
        'closed; empty: it begins where it is.', ''
    )  # fmt: skip
    record: bool = param('Record each run as an episode, where there is a recorder.', False)
