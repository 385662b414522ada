"""Two sets of sizes: what a processor trains in minutes, and what ImMimic published."""

from collections.abc import Mapping
from typing import Any, Final

SMALL: Final = 'small'
PAPER: Final = 'paper'

# preset -> frames a second [Hz] for which its strides are
FRAME_RATES: Final[Mapping[str, float]] = {PAPER: 30.0}

# preset -> group -> what differs from the defaults of its params
PRESETS: Final[Mapping[str, Mapping[str, Mapping[str, Any]]]] = {
    SMALL: {'network': {}, 'diffusion': {}, 'train': {}},
    # Source: the settings of ImMimic's released code, by its README and configuration, 2025.
    PAPER: {
        'network': {
            'encoder': 'resnet18',
            'feature': 512,
            'widths': (256, 512, 1024),
            'kernel': 5,
            'time_width': 256,
            'crop': 0,
        },
        'diffusion': {'train_steps': 100, 'inference_steps': 10, 'prediction': 'epsilon'},
        'train': {
            'steps': 15_000,  # 300 epochs of 50
            'batch': 128,
            'learning_rate': 1e-4,
            'height': 180,
            'width': 320,
            'observation_steps': 2,
            'horizon': 32,
            'robot_stride': 155 / 32,
            'human_stride': 1.0,
        },
    },
}
