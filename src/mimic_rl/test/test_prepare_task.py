"""The task of a run is the one that the recorder kept with the bag."""

import pytest

from mimic_recording import EpisodeInfo, EpisodeWriter
from mimic_rl.demonstration import BagWriter
from mimic_rl.prepare.video import recorded_of_person, recorded_task


@pytest.mark.parametrize('task', ['box_pivot', ''])
def test_a_bag_of_the_recorder(tmp_path, task):
    writer = EpisodeWriter(tmp_path, EpisodeInfo('one', task))
    writer.close()
    assert recorded_task(writer.wait().path) == task


def test_other_bags_have_none(tmp_path):
    with BagWriter(tmp_path / 'bag', None):
        pass
    assert recorded_task(tmp_path / 'bag') == ''
    assert recorded_task(tmp_path / 'nowhere') == ''
    assert not recorded_of_person(tmp_path / 'bag')  # it is not known
    assert not recorded_of_person(tmp_path / 'nowhere')


@pytest.mark.parametrize(('tags', 'person'), [((), True), (('seed=3',), False)])
def test_the_virtual_person_leaves_its_seed(tmp_path, tags, person):
    writer = EpisodeWriter(tmp_path, EpisodeInfo('one', 'box_pivot', tags))
    writer.close()
    assert recorded_of_person(writer.wait().path) is person
