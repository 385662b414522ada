"""Sizes of a policy's networks."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class NetworkParams:
    """What a checkpoint must know to build its networks again."""

    encoder: str = param('Of pictures.', 'small', choices=('small', 'resnet18'))
    channels: int = param('Of the first layer of the small encoder.', 32, low=8, high=256)
    dilations: tuple[int, ...] = param(
        'Of the convolutions of the small encoder after its first.', (2, 4)
    )
    keypoints: int = param('Of the spatial softmax of each view.', 32, low=1, high=512)
    feature: int = param('Numbers that a view becomes.', 64, low=8, high=2048)
    state_feature: int = param('Numbers that proprioception becomes.', 64, low=8, high=2048)
    missing: str = param(
        'What stands for views that a stream lacks.', 'token', choices=('token', 'zeros')
    )
    widths: tuple[int, ...] = param('Channels of the levels of the U-Net.', (32, 64, 128))
    kernel: int = param('Of its convolutions, odd [steps].', 5, low=3, high=9)
    time_width: int = param('Of the embedding of diffusion time, even.', 64, low=8, high=1024)
    crop: int = param(
        'Rows and columns that random crops of pictures lose [pixels].', 8, low=0, high=64
    )
