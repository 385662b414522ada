"""What is said when the disk is full, and what is left of a file that could not be written."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mimic_core.errors import MimicError


@contextmanager
def writing(what: Path, kind: type[MimicError], after: str = '') -> Iterator[None]:
    """Turn an error of the disk into one that names the file and the reason.

    Args:
        what: Is named where the error itself names no file.
        kind: Of the error.
        after: What to do then, the end of the sentence.
    """
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        reason = 'the disk is full' if full else error.strerror or str(error)
        rest = f'; {after}' if after else ''
        raise kind(f'{error.filename or what}: not written: {reason}{rest}') from error


@contextmanager
def removed_on_error(part: Path) -> Iterator[None]:
    """Remove a file or a folder that could not be written as a whole."""
    try:
        yield
    except OSError:
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
        raise
