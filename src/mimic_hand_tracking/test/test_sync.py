from mimic_hand_tracking.sync import DEPTH_EXPECTED, FrameSync


def test_colour_alone_does_not_wait_when_there_is_no_depth():
    sync = FrameSync(0.01)
    pair = sync.add_color((1, 0), 'c', 0.0)
    assert pair is not None and pair.color == 'c' and pair.depth is None


def test_equal_stamps_meet_in_either_order():
    sync = FrameSync(0.01)
    assert sync.add_depth((1, 0), 'd1', 0.0) is None
    pair = sync.add_color((1, 0), 'c1', 0.001)
    assert (pair.color, pair.depth) == ('c1', 'd1')
    assert sync.add_color((1, 33), 'c2', 0.033) is None
    pair = sync.add_depth((1, 33), 'd2', 0.034)
    assert (pair.color, pair.depth, pair.arrived) == ('c2', 'd2', 0.033)


def test_a_nanosecond_apart_is_not_a_pair():
    sync = FrameSync(0.01)
    sync.add_depth((1, 0), 'd', 0.0)
    assert sync.add_color((1, 1), 'c', 0.0) is None
    assert sync.give_up(0.005) is None
    pair = sync.give_up(0.0101)
    assert pair.depth is None and sync.without_depth == 1 and not sync.is_waiting


def test_a_newer_colour_replaces_one_that_waits():
    sync = FrameSync(0.05)
    sync.add_depth((0, 0), 'd', 0.0)
    assert sync.add_color((1, 0), 'old', 0.0) is None
    assert sync.add_color((1, 33), 'new', 0.033) is None
    assert sync.dropped == 1
    assert sync.add_depth((1, 0), 'late', 0.034) is None
    assert sync.add_depth((1, 33), 'd', 0.035).color == 'new'


def test_depth_that_stopped_is_not_waited_for():
    sync = FrameSync(0.01)
    sync.add_depth((1, 0), 'd', 0.0)
    pair = sync.add_color((9, 0), 'c', DEPTH_EXPECTED + 0.1)
    assert pair is not None and pair.depth is None


def test_depths_without_colour_do_not_pile_up():
    sync = FrameSync(0.01)
    for i in range(100):
        sync.add_depth((i, 0), i, 0.0)
    assert len(sync._depths) <= 4
