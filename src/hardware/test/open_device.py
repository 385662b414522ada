"""A device that is open as long as a test needs it."""

from contextlib import contextmanager


@contextmanager
def while_open(device):
    device.open()
    try:
        yield device
    finally:
        device.close()
