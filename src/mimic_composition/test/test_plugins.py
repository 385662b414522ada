import pytest

from mimic_composition.plugins import find_class, remap_arguments
from mimic_core.errors import ConfigError, UnknownNameError


@pytest.mark.parametrize('plugin', ['mimic_core.hand::TrackedHand', 'mimic_core.hand:TrackedHand'])
def test_finding_a_class(plugin: str):
    assert find_class('mimic_core', plugin).__name__ == 'TrackedHand'


@pytest.mark.parametrize(
    ('package', 'plugin', 'error', 'says'),
    [
        ('mimic_core', 'TrackedHand', ConfigError, 'not written as module::Class'),
        ('mimic_core', 'os.path::join', ConfigError, "not in package 'mimic_core'"),
        ('mimic_core', 'mimic_core.none::X', ImportError, 'mimic_core.none'),
        ('mimic_core', 'mimic_core.hand::TrackedHnd', UnknownNameError, "'TrackedHand'"),
        ('mimic_core', 'mimic_core.hand::Side', UnknownNameError, 'Known: TrackedHand'),
    ],
)
def test_classes_that_are_not_there(package: str, plugin: str, error: type, says: str):
    with pytest.raises(error) as caught:
        find_class(package, plugin)
    assert says in str(caught.value)


def test_remap_rules():
    assert remap_arguments(['a:=b', '~/c:=/d']) == ['-r', 'a:=b', '-r', '~/c:=/d']
    with pytest.raises(ConfigError):
        remap_arguments(['a=b'])
