import sys

import numpy as np
import pytest

from mimic_alignment.features import encode, load_encoder, thumbnail
from mimic_core.errors import ConfigError, MimicError, NotFiniteError, ShapeError


def pictures(count=5, side=33):
    return np.random.default_rng(0).integers(0, 255, (count, side, side + 7, 3), dtype=np.uint8)


def test_thumbnail_sees_colour_and_where_it_is():
    dark = np.zeros((1, 64, 64, 3), np.uint8)
    red = dark.copy()
    red[0, :8, 8:16, 0] = 255  # row 0, column 1 of the cells
    features = thumbnail(red).reshape(8, 8, 7)
    assert features[0, 1, 0] == pytest.approx(1.0)
    assert np.flatnonzero(features[..., 0]).tolist() == [1]
    assert not thumbnail(dark).any()


def test_thumbnail_tells_directions_of_edges():
    upright = np.zeros((1, 64, 64, 3), np.uint8)
    upright[0, :, 32:] = 255
    lying = upright.transpose(0, 2, 1, 3).copy()
    across, down = thumbnail(upright).reshape(64, 7), thumbnail(lying).reshape(64, 7)
    assert across[:, 3].sum() > 0.1 and across[:, 5].sum() < 1e-6
    assert down[:, 5].sum() > 0.1 and down[:, 3].sum() < 1e-6


def test_encoding_in_batches_is_the_same():
    seen = pictures(7)
    one_by_one = np.concatenate([thumbnail(seen[i : i + 1]) for i in range(7)])
    np.testing.assert_array_equal(encode(seen, thumbnail, batch=3), one_by_one)


def test_an_encoder_that_does_not_do_its_work_is_found_out():
    with pytest.raises(ShapeError, match='features of the encoder'):
        encode(pictures(), lambda batch: np.zeros((1, 4)))
    with pytest.raises(NotFiniteError):
        encode(pictures(), lambda batch: np.full((len(batch), 4), np.nan))
    with pytest.raises(ShapeError, match='no pictures'):
        encode(pictures(0), thumbnail)
    with pytest.raises(ShapeError, match='at least 8'):
        thumbnail(np.zeros((1, 4, 4, 3), np.uint8))


def test_encoders_come_by_name(tmp_path, monkeypatch):
    (tmp_path / 'my_eyes.py').write_text(
        'def mean(pictures):\n    return pictures.mean(axis=(1, 2))\n'
        'def of_file(path):\n    scale = float(open(path).read())\n'
        '    return lambda pictures: scale * pictures.mean(axis=(1, 2))\n'
        'number = 3\n'
    )
    (tmp_path / 'weights').write_text('2.0')
    monkeypatch.syspath_prepend(tmp_path)
    seen = pictures()
    plain = encode(seen, load_encoder('my_eyes:mean'))
    assert plain.shape == (5, 3)
    scaled = encode(seen, load_encoder(f'my_eyes:of_file={tmp_path / "weights"}'))
    np.testing.assert_allclose(scaled, 2.0 * plain)
    assert load_encoder('thumbnail') is thumbnail
    for wrong in ('eyes', 'no_such_module:f', 'my_eyes:absent', 'my_eyes:number', ':f'):
        with pytest.raises(ConfigError, match='encoder'):
            load_encoder(wrong)
    assert issubclass(ConfigError, MimicError)


def test_an_encoder_lies_in_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / 'eyes_here.py').write_text(
        'import eyes_beside\ndef mean(pictures):\n    return eyes_beside.mean(pictures)\n'
    )
    (tmp_path / 'eyes_beside.py').write_text(
        'def mean(pictures):\n    return pictures.mean(axis=(1, 2))\n'
    )
    monkeypatch.setattr(sys, 'path', list(sys.path))
    with pytest.raises(
        ConfigError, match=r"encoder 'eyes_here:mean': No module named 'eyes_here'"
    ):
        load_encoder('eyes_here:mean')
    monkeypatch.chdir(tmp_path)
    assert encode(pictures(), load_encoder('eyes_here:mean')).shape == (5, 3)


NETWORKS = """
import torch

class Mean(torch.nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(float(scale)))
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, batch):
        assert batch.dtype == torch.float32 and not torch.is_grad_enabled()
        return self.drop(self.scale * batch).mean(dim=(2, 3), keepdim=True)

mean = Mean()
conv = torch.nn.Conv2d(4, 2, 3)

class Pair(torch.nn.Module):
    def forward(self, batch):
        return batch, batch

pair = Pair()
"""


def test_a_torch_module_is_an_encoder(tmp_path, monkeypatch):
    pytest.importorskip('torch', reason='torch is for learning: ./mimic build --learning')
    (tmp_path / 'my_networks.py').write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    seen = pictures()
    wanted = seen.mean(axis=(1, 2)) / 255.0
    np.testing.assert_allclose(encode(seen, load_encoder('my_networks:mean')), wanted, atol=1e-6)
    made = encode(seen, load_encoder('my_networks:Mean=3'))
    np.testing.assert_allclose(made, 3.0 * wanted, atol=1e-6)
    for name, says in (('conv', 'Conv2d: .*channels'), ('pair', 'Pair: returns a tuple')):
        with pytest.raises(ConfigError, match=says):
            encode(seen, load_encoder(f'my_networks:{name}'))
    with pytest.raises(ConfigError, match='it is a class'):
        load_encoder('my_networks:Mean')


def test_what_is_not_installed_is_said_with_how_to_get_it(tmp_path, monkeypatch):
    (tmp_path / 'my_imports.py').write_text('import torch\n')
    (tmp_path / 'my_lazy_imports.py').write_text('def f(path):\n    import safetensors.numpy\n')
    monkeypatch.syspath_prepend(tmp_path)
    for module in ('torch', 'safetensors', 'safetensors.numpy'):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ('my_imports:f', 'my_lazy_imports:f=x'):
        with pytest.raises(ConfigError, match=r'\./mimic build --learning installs it'):
            load_encoder(name)
