"""Parameters of the node."""

from dataclasses import dataclass

from mimic_core.params import param
from mimic_core.policy_run import RunParams
from mimic_policy.execution_params import ExecutionParams


@dataclass(frozen=True, kw_only=True)
class PolicyNodeParams(RunParams, ExecutionParams):
    """Checked once, when the node starts."""

    device: str = param('Of torch: cpu or cuda.', 'cpu')
    inference_steps: int = param('Of DDIM [1]; 0: as trained.', 0, low=0, high=1000)
    noise_seed: int = param('Of the noise that predictions start from.', 0, low=0)
