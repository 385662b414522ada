"""Messages to arrays and back."""

import numpy as np
import pytest

pytestmark = pytest.mark.ros


@pytest.fixture
def conversions():
    from mimic_hand_tracking import conversions

    return conversions


def image(array, encoding, **fields):
    from sensor_msgs.msg import Image

    message = Image(height=array.shape[0], width=array.shape[1], encoding=encoding)
    message.step = array[0].nbytes
    message.data = array.tobytes()
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def test_colour_in_every_order_of_channels(conversions):
    rgb = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    alpha = np.full((4, 6, 1), 9, dtype=np.uint8)
    for encoding, array in (
        ('rgb8', rgb),
        ('bgr8', rgb[..., ::-1]),
        ('rgba8', np.concatenate([rgb, alpha], axis=2)),
        ('bgra8', np.concatenate([rgb[..., ::-1], alpha], axis=2)),
    ):
        found = conversions.color_from_msg(image(np.ascontiguousarray(array), encoding))
        np.testing.assert_array_equal(found, rgb)
        assert found.flags.c_contiguous
    gray = conversions.color_from_msg(image(rgb[..., 0].copy(), 'mono8'))
    np.testing.assert_array_equal(gray[..., 1], rgb[..., 0])


def test_rows_may_be_padded(conversions):
    padded = np.zeros((4, 24), dtype=np.uint8)
    padded[:, :18] = np.arange(72).reshape(4, 18)
    message = image(padded, 'rgb8', width=6)
    found = conversions.color_from_msg(message)
    np.testing.assert_array_equal(found.ravel(), np.arange(72))


def test_depth_in_metres_with_nan_and_infinity(conversions):
    metres = np.array([[0.5, np.nan], [np.inf, -1.0], [0.0, 100.0]], dtype=np.float32)
    found = conversions.depth_from_msg(image(metres, '32FC1'))
    np.testing.assert_array_equal(found, [[500, 0], [0, 0], [0, 0]])


def test_depth_of_a_big_endian_machine(conversions):
    depth = np.array([[513, 2]], dtype='>u2')
    found = conversions.depth_from_msg(image(depth, '16UC1', is_bigendian=1))
    np.testing.assert_array_equal(found, [[513, 2]])
    assert found.dtype == np.uint16


def test_short_or_strange_images_are_refused(conversions):
    from mimic_core.errors import ShapeError

    good = image(np.zeros((4, 6, 3), dtype=np.uint8), 'rgb8')
    good.data = good.data[:-1]
    with pytest.raises(ShapeError, match='71 bytes'):
        conversions.color_from_msg(good)
    with pytest.raises(ShapeError, match='yuv422'):
        conversions.color_from_msg(image(np.zeros((4, 6, 2), dtype=np.uint8), 'yuv422'))
    with pytest.raises(ShapeError, match='depth image'):
        conversions.depth_from_msg(image(np.zeros((4, 6, 3), dtype=np.uint8), 'rgb8'))
    with pytest.raises(ShapeError):
        conversions.color_from_msg(type(good)(encoding='rgb8'))  # of no size


def test_intrinsics_and_a_distortion_that_is_not_known(conversions):
    from sensor_msgs.msg import CameraInfo

    from mimic_core.errors import ConfigError

    info = CameraInfo(width=640, height=480, distortion_model='plumb_bob')
    info.k = [600.0, 0.0, 320.0, 0.0, 601.0, 240.0, 0.0, 0.0, 1.0]
    info.d = [0.1, -0.2, 0.0, 0.0, 0.3]
    found = conversions.intrinsics_from_msg(info)
    assert (found.fx, found.fy, found.cx, found.cy) == (600.0, 601.0, 320.0, 240.0)
    assert found.distortion == (0.1, -0.2, 0.0, 0.0, 0.3)
    info.distortion_model = 'equidistant'
    with pytest.raises(ConfigError, match='equidistant'):
        conversions.intrinsics_from_msg(info)
    with pytest.raises(ConfigError):
        conversions.intrinsics_from_msg(CameraInfo())


def test_hands_keep_nan_confidence_and_side(conversions):
    from std_msgs.msg import Header

    from mimic_core.hand import TrackedHand
    from mimic_interfaces.msg import Hand

    keypoints = np.arange(63.0).reshape(21, 3)
    keypoints[4] = np.nan
    hand = TrackedHand(
        track_id=7, side='left', method='pnp', keypoints=keypoints,
        confidence=np.linspace(0, 1, 21), pixels=np.arange(42.0).reshape(21, 2), score=0.9,
        filter_delay=0.02,
    )  # fmt: skip
    message = conversions.hands_to_msg((hand,), Header(frame_id='camera'), 0.012)
    (out,) = message.hands
    assert (out.track_id, out.side, out.method) == (7, Hand.LEFT, Hand.METHOD_PNP)
    assert np.isnan(out.keypoints[4].x) and out.keypoints[5].y == keypoints[5, 1]
    np.testing.assert_allclose(out.confidence, hand.confidence, rtol=1e-6)
    np.testing.assert_allclose(np.reshape(out.pixels, (21, 2)), hand.pixels)
    assert message.processing_time == pytest.approx(0.012)
