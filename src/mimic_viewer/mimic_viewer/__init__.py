"""The web page: robot, hand and camera in 3D, state, and the buttons of the operator."""

from mimic_viewer.page import Actions, Page
from mimic_viewer.params import ViewerParams

__all__ = ['Actions', 'Page', 'ViewerParams']
