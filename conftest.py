"""Shared by every test: source packages on the path, isolated ROS domains, the shared folder."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).parent
for package in sorted(ROOT.glob('src/**/package.xml')):
    sys.path.insert(0, str(package.parent))
sys.path.insert(0, str(ROOT / 'test'))  # workspace.py and what tests share
sys.path.insert(0, str(ROOT))

os.environ.setdefault('MUJOCO_GL', 'egl')
os.environ.setdefault('OMP_NUM_THREADS', '1')
os.environ.setdefault('LP_NUM_THREADS', '0')  # of the software renderer
os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')

# Real nodes and emulated devices run in real time, which a shared machine does not always give:
# one that fails is tried once more, and the closing line counts it as rerun. So do files *_ros.py.
_REAL_TIME = (
    ROOT / 'src/hardware',
    ROOT / 'src/mimic_core/test/test_driver_loop.py',
    ROOT / 'src/mimic_core/test/test_ros_helpers.py',
    ROOT / 'src/mimic_control/test/test_site.py',
    ROOT / 'test/test_ros2_control.py',
)
_FIRST_DOMAIN, _DOMAINS = 20, 80  # 1 to 101 is the safe range on Linux
# Workers inherit where this run begins, and have a share of the domains each.
_START = int(os.environ.setdefault('MIMIC_TEST_RUN', str(os.getpid())))
_WORKER = int(os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw'))
_WORKERS = int(os.environ.get('PYTEST_XDIST_WORKER_COUNT', '1'))
_SHARE = _DOMAINS // _WORKERS
_used = 0


def _is_real_time(file: Path) -> bool:
    return any(file.is_relative_to(path) for path in _REAL_TIME)


class _OneAtATime(LoadScopeScheduling):
    """Gives whole files to workers, and all that is of real time to one of them."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split('::', 1)[0]
        of_real_time = file.endswith('_ros.py') or _is_real_time(ROOT / file)
        return 'of real time' if of_real_time else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Return who gives tests to workers."""
    return _OneAtATime(config, log)


@pytest.fixture
def ros_domain(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A ROS domain of this test's own, for itself and the processes that it starts."""
    global _used
    own = _WORKER % _WORKERS * _SHARE + _used % _SHARE
    domain = _FIRST_DOMAIN + (_START + own) % _DOMAINS
    _used += 1
    monkeypatch.setenv('ROS_DOMAIN_ID', str(domain))
    yield domain


@pytest.fixture(scope='session')
def shared() -> Path:
    """The folder of facts and data beside the repository, where there is one."""
    folder = ROOT.parent / 'shared'
    if not folder.is_dir():
        pytest.skip('no shared folder beside the repository')
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs ROS where it is not sourced, and what needs a device unless asked for."""
    try:
        import rclpy  # noqa: F401

        from mimic_interfaces.msg import HandArray  # noqa: F401

        has_ros = True
    except ImportError:
        has_ros = False
    for item in items:
        if item.get_closest_marker('ros') and not has_ros:
            item.add_marker(pytest.mark.skip(reason='ROS 2 or the built workspace is not sourced'))
        if item.get_closest_marker('ros') or _is_real_time(item.path):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if item.get_closest_marker('hardware') and not os.environ.get('MIMIC_HARDWARE'):
            item.add_marker(pytest.mark.skip(reason='needs a device: set MIMIC_HARDWARE=1'))
