from pathlib import Path

import pytest

from mimic_composition.launcher.errors import LaunchFileError
from mimic_composition.launcher.expression import evaluate
from mimic_composition.launcher.substitution import Context, split_command, substitute, to_bool


@pytest.fixture
def context(prefix: Path) -> Context:
    environment = {'AMENT_PREFIX_PATH': str(prefix), 'HOME': '/home', 'PATH': '/usr/bin:/bin'}
    return Context({'a': 'x', 'spaced': 'p q'}, environment, Path('/f/g.launch.xml'))


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('plain', 'plain'),
        ('', ''),
        ('costs $5', 'costs $5'),
        (r'\$(var a)', '$(var a)'),
        ('$(var a)$(var a)-', 'xx-'),
        ('$(var none other)', 'other'),
        ("$(var none 'two words')", 'two words'),
        ('$(env HOME)', '/home'),
        ('$(env NONE $(var a)y)', 'xy'),
        ('$(dirname) $(filename)', '/f /f/g.launch.xml'),
        ('$(not true)', 'false'),
        ('$(and true $(or 0 1))', 'true'),
        ('$(equals $(var a) x)', 'true'),
        ('$(equals 4 4.0)', 'true'),
        ('$(equals TRUE 1)', 'true'),
        ('$(not-equals a b)', 'true'),
        ('$(if false a b)', 'b'),
        ("$(eval '2 * 4')", '8'),
        ('$(eval \'"$(var a)" == "x"\')', 'True'),
        ("$(command 'echo hi')", 'hi\n'),
    ],
)
def test_gives(text: str, wanted: str, context: Context):
    assert substitute(text, context) == wanted


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('$(varr a)', "Did you mean 'var'"),
        ('$(optenv X)', "unknown substitution 'optenv'"),
        ('$(var b)', "unknown launch argument 'b'"),
        ('$(var)', 'takes 1 to 2 arguments, not 0'),
        ('$(var a', 'not closed'),
        ('$(var  a)', 'one space separates'),
        ("$(var 'a)", 'is not closed'),
        ('$(find-pkg-share shw)', "unknown package 'shw'. Did you mean 'show'?"),
        ('$(exec-in-pkg shou show)', "unknown executable of show 'shou'. Did you mean 'show'?"),
        ('$(env NONE)', "no 'NONE'"),
        ("$(equals x '')", 'cannot compare with nothing'),
        ("$(command 'false')", 'exit code 1'),
        ('$(not maybe)', 'is not one of true, false, 1, 0'),
        ("$(eval '__import__(1)')", 'does not support'),
    ],
)
def test_refuses(text: str, says: str, context: Context):
    with pytest.raises(LaunchFileError, match=r'.*') as error:
        substitute(text, context)
    assert says in str(error.value)


def test_one_anonymous_name_for_each_word(context: Context):
    first = substitute('$(anon a)', context)
    assert substitute('$(anon a)', context) == first
    assert substitute('$(anon b)', context) != first


def test_command_lines_are_split_like_a_shell_but_not_inside_substitutions(context: Context):
    text = '--x \'a b\' $(var spaced) y$(var a)z "q $(var a)"'
    assert split_command(text, context) == ['--x', 'a b', 'p q', 'yxz', 'q x']
    with pytest.raises(LaunchFileError, match='cannot split'):
        split_command("it's", context)


@pytest.mark.parametrize('text', ['yes', '', 'on', '2'])
def test_conditions_are_strict(text: str):
    with pytest.raises(LaunchFileError):
        to_bool(text)


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('1 + 2 * 3', '7'),
        ('-7 // 2', '-4'),
        ('math.pi', '3.141592653589793'),
        ('max(1, 2.5)', '2.5'),
        ('sqrt(4) if 1 < 2 <= 2 else 0', '2.0'),
        ("'a' in ['a', 'b'] and not False", 'True'),
        ("str(3) + 'x'", '3x'),
    ],
)
def test_expressions(text: str, wanted: str):
    assert evaluate(text) == wanted


@pytest.mark.parametrize(
    'text',
    [
        '().__class__',
        'open("x")',
        '[x for x in []]',
        'lambda: 1',
        '1 +',
        '1 / 0',
        "'a' + 1",
        'x',
        '{}',
    ],
)
def test_expressions_that_are_refused(text: str):
    with pytest.raises(LaunchFileError):
        evaluate(text)
