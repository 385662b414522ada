"""`./mimic film`: what is there is not made again, what did not succeed is not kept."""

from pathlib import Path

import pytest

from mimic_bringup import film
from mimic_bringup.human_video import HumanVideo
from mimic_camera import load_calibration
from mimic_sim.bare_hand import BareHandParams


@pytest.fixture
def made(monkeypatch) -> list[int]:
    """Seeds of the videos that were made; those of odd seeds do not succeed."""
    seeds: list[int] = []

    def write(path: Path, params: BareHandParams, bags: Path | None) -> HumanVideo:
        seeds.append(params.seed)
        path.parent.mkdir(exist_ok=True)
        path.write_text('video')
        bag = None if bags is None else bags / path.stem
        if bag is not None:
            assert not (bags / f'.{bag.name}.partial').exists()
            bag.mkdir(parents=True)  # not if it is there
        return HumanVideo(path, bag, params.seed % 2 == 0, 1, 1.0)

    monkeypatch.setattr(film, 'write_human_video', write)
    return seeds


def test_videos_that_succeeded(made, tmp_path, capsys):
    command = [str(tmp_path / 'v'), '--task', 'push', '--bags', str(tmp_path / 'b')]
    assert film.main([*command, '--count', '2', '--seed', '3']) == 0
    assert made == [3, 4, 5, 6]
    assert sorted(p.name for p in (tmp_path / 'v').iterdir()) == [
        'camera.yaml', 'push_4.mp4', 'push_6.mp4',
    ]  # fmt: skip
    assert sorted(p.name for p in (tmp_path / 'b').iterdir()) == ['push_4', 'push_6']
    assert capsys.readouterr().out == f'2 videos in {tmp_path / "v"}\n'
    made.clear()
    assert film.main([*command, '--count', '3', '--seed', '4']) == 0
    assert made == [5, 7, 8]  # what is there is not made again


def test_videos_that_are_there_without_bags_get_them(made, tmp_path, capsys):
    command = [str(tmp_path / 'v'), '--task', 'push', '--count', '2']
    assert film.main(command) == 0
    made.clear()
    command += ['--bags', str(tmp_path / 'b')]
    for again in ([0, 1, 2], [1]):  # 1 does not succeed, and is not kept
        assert film.main(command) == 0
        assert made == again
        assert sorted(p.name for p in (tmp_path / 'b').iterdir()) == ['push_0', 'push_2']
        made.clear()


def test_what_a_kill_left_of_a_bag_is_made_anew(made, tmp_path):
    (tmp_path / 'b/.push_2.partial').mkdir(parents=True)
    (tmp_path / 'v').mkdir()
    (tmp_path / 'v/push_2.mp4').touch()  # written before its bag
    command = [str(tmp_path / 'v'), '--task', 'push', '--bags', str(tmp_path / 'b')]
    assert film.main([*command, '--count', '1', '--seed', '2']) == 0
    assert made == [2]
    assert [p.name for p in (tmp_path / 'b').iterdir()] == ['push_2']


def test_the_bag_of_another_video_stays(made, tmp_path, capsys):
    (tmp_path / 'b/push_2').mkdir(parents=True)
    (tmp_path / 'b/push_2/all.mcap').touch()
    command = [str(tmp_path / 'v'), '--task', 'push', '--bags', str(tmp_path / 'b')]
    assert film.main([*command, '--count', '1', '--seed', '2']) == 1
    said = ''.join(capsys.readouterr().err.split())  # lines may end within a path
    assert 'whichisnotthere:chooseother--bags' in said
    assert not made and (tmp_path / 'b/push_2/all.mcap').exists()


def test_the_videos_of_one_folder_are_of_one_camera(made, tmp_path, capsys):
    folder = tmp_path / 'long enough for a line of its own' / 'v [old]'
    assert film.main([str(folder), '--count', '1', '--arm', 'panda']) == 0
    assert load_calibration(folder / 'camera.yaml').record == {'twin': 'panda'}
    before = (folder / 'camera.yaml').read_bytes()
    assert film.main([str(folder), '--count', '2', '--arm', 'so101']) == 1
    said = capsys.readouterr().err  # a path is neither cut into lines nor read as markup
    assert f'{folder / "camera.yaml"}: not the camera of the twin of so101; film into' in said
    assert film.main([str(folder), '--count', '2', '--arm', 'panda']) == 0
    assert (folder / 'camera.yaml').read_bytes() == before
    (folder / 'camera.yaml').unlink()  # of whichever table the videos are that lie here
    assert film.main([str(folder), '--count', '3', '--arm', 'so101']) == 0
    assert not (folder / 'camera.yaml').exists()


def test_what_cannot_be_filmed(made, tmp_path, monkeypatch, capsys):
    assert film.main([str(tmp_path), '--count', '0']) == 1
    assert '--count must be at least 1' in capsys.readouterr().err
    monkeypatch.setattr(film, 'TRIES', 1)
    assert film.main([str(tmp_path), '--count', '3']) == 1
    assert 'pick_place: 2 of 3 trials succeeded' in capsys.readouterr().err


def test_an_unknown_task(tmp_path, capsys):
    assert film.main([str(tmp_path), '--task', 'flop']) == 1
    assert 'flop' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
