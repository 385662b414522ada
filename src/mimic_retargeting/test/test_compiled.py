"""Compiled code on disk is never older than any file that it holds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import mimic_retargeting

SCRIPT = """
import numpy as np
from numba import njit
from pathlib import Path
from mimic_retargeting import compiled
compiled._stamp.cache_clear()
from outer import outer
print(outer(1.0))
"""


def run(folder: Path, inner: str) -> str:
    (folder / 'kernels.py').write_text(
        f'from mimic_retargeting.compiled import compiled\n@compiled\ndef inner(x):\n{inner}\n'
    )
    shadow = (
        'import mimic_retargeting.compiled as c, pathlib\n'
        f"c.__file__ = r'{folder / 'compiled.py'}'\n"
    )
    environment = os.environ | {
        'PYTHONPATH': os.pathsep.join([str(folder), *sys.path]), 'PYTHONDONTWRITEBYTECODE': '1'
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, '-c', shadow + SCRIPT], capture_output=True, text=True, timeout=100,
        check=True, env=environment,
    )  # fmt: skip
    return done.stdout.strip()


def test_a_change_of_a_called_file_reaches_its_callers(tmp_path: Path) -> None:
    source = Path(mimic_retargeting.__file__).parent
    for name in ('hand_kernels', 'arm_kernels', 'arm_step', 'tables'):
        shutil.copy(source / f'{name}.py', tmp_path)
    (tmp_path / 'outer.py').write_text(
        'from mimic_retargeting.compiled import compiled\nfrom kernels import inner\n'
        '@compiled\ndef outer(x):\n    return inner(x)\n'
    )
    assert run(tmp_path, '    return x + 1.0') == '2.0'
    assert list((tmp_path / '__pycache__').glob('outer*.nbi'))
    assert run(tmp_path, '    return x + 10.0') == '11.0'
