import sys

import pytest

from mimic_core.plug_in import import_plug_in


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_current_folder_is_searched_after_what_is_installed(folder):
    (folder / 'plug_in_here.py').write_text('number = 3\n')
    (folder / 'json.py').write_text('number = 3\n')
    assert import_plug_in('plug_in_here').number == 3
    assert not hasattr(import_plug_in('json'), 'number')
    assert sys.path[-1] == str(folder)


def test_what_is_missing_is_named(folder):
    (folder / 'plug_in_needs.py').write_text('import no_such_module\n')
    with pytest.raises(ModuleNotFoundError, match='no_such_module') as found:
        import_plug_in('plug_in_needs')
    assert found.value.name == 'no_such_module'
    with pytest.raises(ModuleNotFoundError) as found:
        import_plug_in('plug_in_nowhere')
    assert str(found.value) == (
        f"No module named 'plug_in_nowhere', neither installed nor in {folder}"
    )
    assert found.value.name == 'plug_in_nowhere'
