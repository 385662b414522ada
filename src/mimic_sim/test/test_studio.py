"""Pictures of the virtual hand and the truth about them."""

from dataclasses import replace

import numpy as np
import pytest

from mimic_core.camera import Intrinsics
from mimic_core.errors import ConfigError, SourceError, UnknownNameError
from mimic_core.frames import apply, inverse, look_at, transform
from mimic_sim.hand_model import HandState
from mimic_sim.hand_postures import posture
from mimic_sim.studio import Prop, Studio, Variation

CLEAN = Variation(color_noise=0.0, depth_noise=0.0, depth_holes=0.0)
INTRINSICS = Intrinsics(320, 240, 300.0, 300.0, 150.3, 124.9)  # the centre is off the middle
CAMERA = look_at(np.array([0.25, 0.30, 0.50]), np.array([0.0, 0.0, 0.1]), np.array([0.0, 0, 1]))
PALM = transform(np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]), np.array([-0.08, 0.0, 0.15]))
HAND = HandState(PALM, posture('open'), np.array([-0.33, -0.05, 0.10]))
CUBE = Prop('cube', 'box', (0.02, 0.02, 0.02), (0.1, 0.9, 0.1))


def studio(variation: Variation = CLEAN, **options: object) -> Studio:
    return Studio(variation, INTRINSICS, CAMERA, **options)  # type: ignore[arg-type]


@pytest.fixture(scope='module')
def clean() -> Studio:
    return studio(props=(CUBE,))


def test_depth_is_the_geometry(clean: Studio) -> None:
    """Depth of the empty table, and of a cube's top, as computed by hand."""
    pose = transform(np.eye(3), np.array([0.05, -0.04, 0.02]))
    frame, _ = clean.render(None, {'cube': pose})
    assert frame.depth is not None
    tops = np.array([[0.05, -0.04, 0.04], [0.06, -0.05, 0.04]])  # on the cube
    floor = np.array([[-0.1, 0.1, 0.0], [0.1, 0.1, 0.0], [-0.15, -0.1, 0.0]])
    points = apply(inverse(CAMERA), np.vstack([tops, floor]))
    pixels = np.rint(INTRINSICS.project(points)).astype(int)
    seen = frame.depth[pixels[:, 1], pixels[:, 0]]
    # A pixel covers 2 mm and the table is seen at 50 degrees.
    np.testing.assert_allclose(seen * 1e-3, points[:, 2], atol=0.003)


def test_color_and_depth_are_aligned_with_the_intrinsics(clean: Studio) -> None:
    pose = transform(np.eye(3), np.array([0.0, 0.0, 0.02]))
    with_cube, truth = clean.render(None, {'cube': pose})
    without, _ = clean.render(None)
    assert with_cube.depth is not None and without.depth is not None
    changed = np.abs(with_cube.depth.astype(int) - without.depth) > 2
    rows, columns = np.nonzero(changed)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (0, 2)]) * 0.02
    pixels = INTRINSICS.project(apply(inverse(CAMERA), corners))
    np.testing.assert_allclose([columns.min(), rows.min()], pixels.min(axis=0), atol=1.5)
    np.testing.assert_allclose([columns.max(), rows.max()], pixels.max(axis=0), atol=1.5)
    np.testing.assert_allclose(truth.objects['cube'], inverse(CAMERA) @ pose)


def test_truth_lies_in_the_picture_of_the_hand(clean: Studio) -> None:
    frame, truth = clean.render(HAND)
    without, _ = clean.render(None)
    assert frame.depth is not None and without.depth is not None
    mask = without.depth.astype(int) - frame.depth > 4
    column, row = np.rint(truth.pixels).astype(int).T
    assert mask[row, column].all()
    gap = truth.keypoints[:, 2] - frame.depth[row, column] * 1e-3
    radii = clean.hand.radii
    assert (gap[truth.visible] > 0.2 * radii[truth.visible]).all()  # inside the flesh
    assert (gap[truth.visible] < 1.4 * radii[truth.visible] + 0.007).all()


def test_what_is_hidden_is_told(clean: Studio) -> None:
    _, open_hand = clean.render(HAND)
    assert open_hand.visible.sum() >= 16
    _, fist = clean.render(replace(HAND, joints=posture('fist')))
    assert not fist.visible[[8, 12, 16, 20]].all()
    between = 0.5 * (CAMERA[:3, 3] + PALM[:3, 3])
    _, covered = clean.render(HAND, {'cube': transform(np.eye(3), between)})
    assert not covered.visible[0] and open_hand.visible[0]
    away = replace(HAND, world_T_palm=transform(PALM[:3, :3], np.array([-2.0, 0.0, 0.2])))
    _, outside = clean.render(away)
    assert not outside.visible.any()
    _, nobody = clean.render(None)
    assert np.isnan(nobody.keypoints).all() and not nobody.visible.any()


def test_left_is_the_mirror_image_of_right(clean: Studio) -> None:
    mirror = np.diag([1.0, -1.0, 1.0, 1.0])
    camera = look_at(CAMERA[:3, 3] * (1, -1, 1), np.array([0.0, 0, 0.1]), np.array([0.0, 0, 1]))
    centred = replace(INTRINSICS, cx=159.5)
    left = Studio(replace(CLEAN, side='left'), centred, camera)
    right = Studio(CLEAN, centred, CAMERA)
    state = HandState(
        mirror @ PALM @ mirror, posture('open'), HAND.elbow * (1.0, -1.0, 1.0), 'left'
    )
    seen_left, truth_left = left.render(state)
    seen_right, truth_right = right.render(HAND)
    np.testing.assert_allclose(truth_left.keypoints, truth_right.keypoints * (-1, 1, 1), atol=1e-9)
    assert seen_left.depth is not None and seen_right.depth is not None
    same = np.abs(seen_left.depth[:, ::-1].astype(int) - seen_right.depth) <= 2
    assert same.mean() > 0.99
    left.close()
    right.close()


def test_same_arguments_same_pixels() -> None:
    variation = Variation.sample(np.random.default_rng(4))
    pictures = []
    for _ in range(2):
        room = studio(variation)
        room.render(None, stamp=9.0)  # the past does not matter
        pictures.append(room.render(HAND, stamp=1.25)[0])
        room.close()
    first, second = pictures
    np.testing.assert_array_equal(first.color, second.color)
    np.testing.assert_array_equal(first.depth, second.depth)


def test_variations_differ() -> None:
    rng = np.random.default_rng(0)
    colors = []
    for _ in range(3):
        room = studio(Variation.sample(rng))
        colors.append(room.render(HAND)[0].color.astype(int))
        room.close()
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(colors[a] - colors[b]).mean() > 5.0


def test_depth_noise_is_that_of_a_sensor(clean: Studio) -> None:
    perfect = clean.render(HAND)[0].depth
    noisy_room = studio(Variation(depth_noise=1.0, depth_holes=0.0))
    first = noisy_room.render(HAND, stamp=0.0)[0].depth
    second = noisy_room.render(HAND, stamp=1 / 30)[0].depth
    assert perfect is not None and first is not None and second is not None
    assert (first != second).mean() > 0.2  # every picture has its own
    near = (perfect > 400) & (perfect < 700)
    error = first[near].astype(float) - perfect[near]
    assert abs(error.mean()) < 0.1 and 0.2 < error.std() < 1.5  # [mm] at about half a metre
    holed = studio(Variation(depth_noise=0.0, depth_holes=1.0)).render(HAND)[0].depth
    assert holed is not None
    lost = (holed == 0) & (perfect > 0)
    assert 0.0005 < lost.mean() < 0.03
    flying = (holed > 0) & (np.abs(holed.astype(int) - perfect) > 15)
    assert 10 < flying.sum() < 0.02 * flying.size


def test_perfect_color_has_no_grain(clean: Studio) -> None:
    np.testing.assert_array_equal(
        clean.render(HAND)[0].color, clean.render(HAND, stamp=3)[0].color
    )


def test_without_depth() -> None:
    assert studio(depth=False).render(HAND)[0].depth is None


def test_an_occluder_hides_part_of_the_scene(clean: Studio) -> None:
    frame, _ = studio(replace(CLEAN, occluder=True)).render(None)
    empty, _ = clean.render(None)
    assert frame.depth is not None and empty.depth is not None
    nearer = empty.depth.astype(int) - frame.depth > 50
    assert 0.01 < nearer.mean() < 0.2


def test_bad_input_is_refused(clean: Studio) -> None:
    with pytest.raises(UnknownNameError, match='cube'):
        clean.render(HAND, {'cub': np.eye(4)})
    with pytest.raises(ConfigError, match='undistorted'):
        Studio(CLEAN, replace(INTRINSICS, distortion=(0.1, 0.0, 0.0, 0.0, 0.0)), CAMERA)
    with pytest.raises(ConfigError, match='square'):
        Studio(CLEAN, replace(INTRINSICS, fx=200.0), CAMERA)
    closed = studio()
    closed.close()
    closed.close()
    with pytest.raises(SourceError, match='closed'):
        closed.render(HAND)


def test_the_shadow_is_painted_where_it_falls_and_nowhere_else(monkeypatch):
    """The part of the picture that is looked at is large enough, wherever the hand is."""
    from mimic_sim.studio_shadow import SoftShadow

    shadow = SoftShadow(INTRINSICS, CAMERA, np.zeros(2), np.array([0.3, 0.2, 0.9]))
    grey = np.full((240, 320, 3), 200, np.uint8)
    radii = np.full(22, 0.01)
    rng = np.random.default_rng(0)
    places = [rng.uniform((-0.5, -0.5, 0.0), (0.5, 0.5, 0.3)) for _ in range(40)]
    hands = [place + rng.normal(0.0, 0.04, (22, 3)) for place in places]
    parts = [shadow.paint(grey, shadow._table, points, radii) for points in hands]
    monkeypatch.setattr(SoftShadow, '_around', lambda *_: (0, 0, 240, 320))
    wholes = [shadow.paint(grey, shadow._table, points, radii) for points in hands]
    for part, whole in zip(parts, wholes, strict=True):
        assert np.abs(part.astype(int) - whole).max() <= 1  # where the map is interpolated
    darkened = [int((whole < 190).sum()) for whole in wholes]
    assert min(darkened) == 0 and max(darkened) > 1000  # some fall outside the picture
    assert (grey == 200).all()
