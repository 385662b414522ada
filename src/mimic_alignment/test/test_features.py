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
