"""Frames a second from a video file, decoding, tracking and retargeting in one thread."""

import time
from pathlib import Path

import av
import numpy as np

from benchmarks.harness import ROOT, Options, Row, at_least, info
from mimic_camera import EndOfStreamError, VideoSource
from mimic_core.frames import look_at
from mimic_description import load_robot
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.tracker import HandTracker
from mimic_retargeting.params import RetargetingParams
from mimic_retargeting.shadow import Shadow

REAL = ROOT.parent / 'shared' / 'data' / 'human_hand_video.mp4'  # a real hand, where it is there
DRAWN = ROOT / 'out' / 'bench' / 'demonstrator.mp4'
CAMERA = look_at(np.array([1.2, 0.0, 0.5]), np.array([0.55, 0.0, 0.15]), np.array([0, 0, 1.0]))


def run(options: Options) -> list[Row]:
    """Measure iiwa14 with Allegro on a whole video; quick: on its first 150 frames."""
    path = REAL if REAL.exists() else _draw(options.seed)
    robot = load_robot('iiwa14', 'allegro')
    shadow = Shadow(robot, RetargetingParams(mode='relative'), CAMERA)
    tracker = HandTracker(TrackingParams())
    source = VideoSource(path, time.time, 'camera', real_time=False)
    source.open()
    limit = 150 if options.quick else 10**9
    first = source.read()
    tracker.process_frame(first)  # the models are loaded with the first picture
    frames = found = 0
    inside = own = retargeting = 0.0
    q = robot.home
    started = time.perf_counter()
    while frames < limit:
        try:
            frame = source.read()
        except EndOfStreamError:
            break
        hands = tracker.process_frame(frame)
        inside += tracker.timing.detector
        own += tracker.timing.rest
        begin = time.perf_counter()
        hand = hands[0] if hands else None
        result = shadow.step(hand, q, frame.stamp)
        q = q if result.q is None else result.q
        retargeting += time.perf_counter() - begin
        frames += 1
        found += hand is not None
    total = time.perf_counter() - started
    tracker.close()
    source.close()
    size = first.color.shape
    return [
        at_least('frames a second', frames / total, 'Hz', 60.0),
        at_least('share of the time inside MediaPipe', 100.0 * inside / total, '%', 70.0),
        info('MediaPipe, a frame', 1e3 * inside / frames, 'ms'),
        info('our tracking, a frame', 1e3 * own / frames, 'ms'),
        info('retargeting and arm, a frame', 1e3 * retargeting / frames, 'ms'),
        info('decoding, a frame', 1e3 * (total - inside - own - retargeting) / frames, 'ms'),
        info('frames', frames, ''),
        info('frames with a hand', 100.0 * found / frames, '%'),
        info('picture height', size[0], 'px'),
        info('real hand', float(path == REAL), ''),
    ]


def _draw(seed: int) -> Path:
    """Return a video of the virtual demonstrator, drawn on first use."""
    from mimic_sim.demonstrator import DemonstratorStream
    from mimic_sim.demonstrator_params import DemonstratorParams

    DRAWN.parent.mkdir(parents=True, exist_ok=True)
    demonstrator = DemonstratorStream(DemonstratorParams(seed=seed, eyes=False))
    with av.open(str(DRAWN), 'w') as container:
        stream = container.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt = 640, 480, 'yuv420p'
        for frame, _ in demonstrator.frames():
            picture = av.VideoFrame.from_ndarray(frame.color, format='rgb24')
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    demonstrator.close()
    return DRAWN
