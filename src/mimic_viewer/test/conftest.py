"""A port for a page, and a hand that presses what is on it."""

import socket
import threading
from collections.abc import Callable

import pytest

from mimic_viewer import Page


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


@pytest.fixture
def press() -> Callable[..., None]:
    """Presses the button, or fills the field, of a label; in a thread, as viser does."""

    def act(page: Page, label: str, value: object = True) -> None:
        inputs = page._server.gui._gui_input_handle_from_uuid.values()
        (handle,) = [handle for handle in inputs if handle._impl.props.label == label]
        handle._impl.value = value
        for call in handle._impl.update_cb:
            thread = threading.Thread(target=call, args=(None,))
            thread.start()
            thread.join()

    return act
