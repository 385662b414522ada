import pytest

from mimic_core.errors import UnknownNameError
from mimic_description import known_devices, load_device
from mimic_description.drivers import driver_package, main


def test_every_device_has_a_package():
    for name in known_devices():
        assert driver_package(name) == load_device(name).driver.package


def test_one_node_for_an_arm_with_its_own_gripper():
    assert driver_package('panda_hand', 'panda') == 'none'
    assert driver_package('so101_gripper', 'so101') == 'none'
    assert driver_package('allegro', 'panda') == 'mimic_allegro_driver'
    assert driver_package('allegro', 'none') == 'mimic_allegro_driver'
    assert driver_package('none', 'panda') == 'none'


def test_unknown_devices_are_told():
    with pytest.raises(UnknownNameError, match="Did you mean 'allegro'"):
        driver_package('alegro')


def test_the_output_is_the_name_alone(capsys, monkeypatch):
    monkeypatch.setattr('sys.argv', ['driver_package', 'leap', '--beside', 'iiwa14'])
    assert main() == 0
    assert capsys.readouterr().out == 'mimic_leap_driver'
    monkeypatch.setattr('sys.argv', ['driver_package', 'leep'])
    assert main() == 1
    assert "Did you mean 'leap'" in capsys.readouterr().err
