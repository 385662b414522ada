"""Parameters of the viewer node."""

from dataclasses import dataclass

from mimic_core.params import param


@dataclass(frozen=True, kw_only=True)
class ViewerParams:
    """Checked once, when the node starts."""

    arm: str = param('Arm in config/robots, or none.', 'iiwa14')
    hand: str = param('Hand in config/robots, or none.', 'allegro')
    prefix: str = param('Of the joints and links of this robot.', '')
    host: str = param('Address to listen on; 0.0.0.0 shows the page to the network.', '127.0.0.1')
    port: int = param('Of the web page.', 8080, low=1, high=65535)
    task: str = param(
        'Of the episodes that are started on the page, until it is changed there.', ''
    )
    rate: float = param('Of the 3D scene [Hz].', 15.0, low=1.0, high=60.0)
    image_rate: float = param('Of the camera picture [Hz].', 5.0, low=0.5, high=30.0)
