"""The table of options in the README is that of the dataclass."""

import dataclasses
import re

from mimic_dataset import ConvertParams

from .conftest import ROOT


def test_the_readme_lists_every_parameter_with_its_default():
    text = (ROOT / 'src/mimic_dataset/README.md').read_text().split('## Options')[1]
    rows = dict(re.findall(r'^\| ([a-z_, ]+) \| (\S+) \|', text, re.MULTILINE))
    listed = {name: default for names, default in rows.items() for name in names.split(', ')}
    for field in dataclasses.fields(ConvertParams):
        default = field.default
        wanted = 'required' if default is dataclasses.MISSING else str(default).lower()
        if isinstance(default, float):
            assert float(listed[field.name]) == default
        else:
            assert listed[field.name].lower() == wanted, field.name
    assert set(listed) - {'parameter'} == {f.name for f in dataclasses.fields(ConvertParams)}
