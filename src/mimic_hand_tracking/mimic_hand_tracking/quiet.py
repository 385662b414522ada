"""What MediaPipe says of itself when a graph starts, kept from the terminal."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

# Its notes and warnings, which no option of it turns off; what is an error has another letter.
_CHATTER: Final = re.compile(rb'[IW]\d{4} |INFO: |WARNING: All log messages before absl')


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back what this process writes to stderr; at the end all but MediaPipe's notes follow.

    Its library writes past Python, so the descriptor itself is redirected.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(terminal, 2)
            os.close(terminal)
            held.seek(0)
            os.write(2, b''.join(line for line in held if not _CHATTER.match(line)))
