"""`ingest` ends with a mapping where the dataset holds both domains."""

import numpy as np
from alignment_episodes import JOINTS, episode

from mimic_alignment.ingest_command import main
from mimic_alignment.mapping import Mapping
from mimic_dataset import DatasetMeta, add_episode, assemble

META = DatasetMeta('reach', 'iiwa14', 'claw', JOINTS, (0.0, 0.0), (1.0, 1.0), {}, 10.0)


def test_a_mapping_is_made_of_what_is_there_and_a_damaged_video_is_told(
    tmp_path, capsys, monkeypatch
):
    dataset, video = tmp_path / 'reach_claw', tmp_path / 'bad.mp4'
    video.write_text('no video')
    camera = tmp_path / 'camera.yaml'
    camera.write_text('parent: base_link\nxyz: [1.2, 0.0, 0.6]\nlook_at: [0.5, 0.0, 0.2]\n')
    words = [str(video), '--task', 'reach', '--hand', 'robotiq_2f85', '--out', str(dataset)]
    words += ['--camera', str(camera)]
    add_episode(dataset, META, episode('h0', 'human', frames=30))
    assemble(dataset, 'human')
    monkeypatch.chdir(tmp_path)  # where there are no episodes
    assert main(words) == 1
    assert 'no robot episodes in' in capsys.readouterr().out
    with monkeypatch.context() as patch:  # as where each of them has a gap
        patch.setattr('mimic_alignment.ingest_command.convert_recorded', lambda *_: 1)
        assert main(words) == 1
    assert 'none of the robot episodes can be used in' in capsys.readouterr().out
    state = np.zeros((40, 9))
    state[:, 6] = 1.0
    add_episode(dataset, META, episode('r0', 'robot', frames=40, state=state))
    assemble(dataset, 'robot')
    assert main(words) == 1
    said = capsys.readouterr().out
    assert 'refused' in said and 'bad.mp4' in said
    assert '1 human on 1 robot episodes' in said
    assert len(Mapping.load(dataset / 'mapping_action.json').frames[0][0]) == 30
