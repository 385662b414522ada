from pathlib import Path

import pytest

from mimic_composition.launcher import cli
from mimic_composition.launcher.cli import run

BODY = """<launch>
  <arg name="arm" default="iiwa14" description="Which arm"/>
  <node pkg="show" exec="show" name="n" args="$(var arm)"/>
</launch>"""


@pytest.fixture
def package(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = prefix / 'share/show/launch'
    folder.mkdir()
    (folder / 'mode.launch.xml').write_text(BODY)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
    monkeypatch.setenv('ROS_LOG_DIR', str(prefix / 'log'))
    return 'show'


def test_listing_arguments(package: str, capsys: pytest.CaptureFixture[str]):
    assert run(['-s', package, 'mode.launch.xml']) == 0
    text = capsys.readouterr().out
    assert "    'arm':\n        Which arm\n        (default: 'iiwa14')\n" in text


def test_printing_command_lines(package: str, capsys: pytest.CaptureFixture[str]):
    assert run(['--print', package, 'mode.launch.xml', 'arm:=two words', 'am:=1']) == 0
    out, err = capsys.readouterr()
    assert out.endswith("lib/show/show 'two words' --ros-args -r __node:=n\n")
    assert "unknown launch argument 'am'. Did you mean 'arm'?" in err


def test_starting(package: str, capsys: pytest.CaptureFixture[str]):
    assert run([package, 'mode.launch.xml', 'arm:=panda']) == 0
    assert 'process has finished cleanly' in capsys.readouterr().out


def test_starting_by_path(package: str, prefix: Path, capsys: pytest.CaptureFixture[str]):
    assert run(['-p', str(prefix / 'share/show/launch/mode.launch.xml')]) == 0
    assert 'iiwa14' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('words', 'says'),
    [
        (['shw', 'mode.launch.xml'], "unknown package 'shw'. Did you mean 'show'?"),
        (['show', 'mod.launch.xml'], "Did you mean 'mode.launch.xml'?"),
        (['none.launch.xml'], 'give a package and a file, or a path'),
    ],
)
def test_what_is_not_there(package: str, words: list[str], says: str, capsys):
    assert run(words) == 1
    assert says in capsys.readouterr().err


def test_ctrl_c_before_anything_runs_ends_it_quietly(package: str, monkeypatch, capsys):
    def read(*_: object) -> None:
        raise KeyboardInterrupt  # while a $(command …) runs, say

    monkeypatch.setattr(cli.Reader, 'read', read)
    assert run([package, 'mode.launch.xml']) == 130
    assert capsys.readouterr().err == ''
