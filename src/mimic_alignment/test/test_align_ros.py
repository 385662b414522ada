"""The service: a real node, a real dataset."""

import subprocess
import sys
import time

import numpy as np
import pytest
from alignment_episodes import JOINTS, episode

from mimic_alignment.mapping import Mapping
from mimic_dataset import DatasetMeta, add_episode, assemble

pytestmark = pytest.mark.ros
rclpy = pytest.importorskip('rclpy')
srv = pytest.importorskip('mimic_interfaces.srv')

WAIT = 40.0  # [s] on a busy machine


@pytest.fixture
def call(ros_domain):
    node_process = subprocess.Popen([sys.executable, '-m', 'mimic_alignment.align_node'])
    context = rclpy.Context()
    rclpy.init(context=context)
    node = rclpy.create_node('caller', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    client = node.create_client(srv.AlignEpisodes, 'alignment/align')
    assert client.wait_for_service(WAIT)

    def ask(**fields):
        future = client.call_async(srv.AlignEpisodes.Request(**fields))
        executor.spin_until_future_complete(future, timeout_sec=WAIT)
        assert future.done()
        return future.result()

    yield ask
    node.destroy_node()
    context.try_shutdown()
    node_process.terminate()
    assert node_process.wait(10.0) == 0


def test_a_dataset_is_aligned_on_request(call, tmp_path):
    folder = tmp_path / 'reach_claw'
    meta = DatasetMeta('reach', 'iiwa14', 'claw', JOINTS, (0.0, 0.0), (1.0, 1.0), {}, 10.0)
    state = np.zeros((40, 9))
    state[:, 6] = 1.0
    add_episode(folder, meta, episode('h', 'human', np.sqrt, 30))
    for n in range(2):
        add_episode(folder, meta, episode(f'r{n}', 'robot', state=state))
    for domain in ('human', 'robot'):
        assemble(folder, domain)
    started = time.monotonic()
    answer = call(dataset=str(folder))
    assert answer.success, answer.message
    assert answer.path == str(folder / 'mapping_action.json')
    assert (list(answer.human_names), list(answer.robot_names)) == (['h'], ['r0', 'r1'])
    assert len(answer.costs) == 2 and max(answer.costs) < 0.5
    assert len(Mapping.load(folder / 'mapping_action.json').frames[0]) == 2
    assert time.monotonic() - started < WAIT
    wrong = call(dataset=str(tmp_path / 'nowhere'))
    assert not wrong.success and 'nowhere' in wrong.message
    homeless = call(dataset='~nobody_at_all/reach_claw')
    assert not homeless.success and 'home directory' in homeless.message
    assert not call(dataset=str(folder), method='smell').success
    assert call(dataset=str(folder), method='visual', robots=['r1']).success
