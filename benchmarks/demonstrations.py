"""Demonstrations for learning: four tasks, four hands by shadowing, and bare hands on video.

Robots are teleoperated from pixels through the whole chain; the bare hand does the task itself
before the agent camera, where the tracker must find it. Trials are kept as those of `shadow` are.
"""

import time

import numpy as np

from benchmarks.harness import RESULTS, Options, Row, at_least, info
from benchmarks.shadow import SEEDS, Case, Trials, digest_of_sources, do
from mimic_core.statistics import wilson
from mimic_hand_tracking.params import TrackingParams
from mimic_hand_tracking.tracker import HandTracker
from mimic_sim.bare_hand import BareHand, BareHandParams

ARM = 'iiwa14'
HANDS = ('robotiq_2f85', 'fin_ray', 'allegro', 'ability')
TASKS = ('pick_place', 'push', 'hammer', 'flip')
TRIALS, TRIALS_QUICK = 20, 2
VIDEOS, VIDEOS_QUICK = 10, 2
FOUND = 90.0  # [%] of the pictures
RATE = 15.0  # [Hz] of the videos


def run(options: Options) -> list[Row]:
    """Return success of each hand at each task, and what the tracker sees of bare hands."""
    first = SEEDS * options.seed
    seeds = range(first, first + (TRIALS_QUICK if options.quick else TRIALS))
    cells = [(task, hand) for task in TASKS for hand in HANDS]
    # Cells in turn, so that a run that is stopped early has trials of each.
    cases = [Case(ARM, hand, task, 'tidy', seed) for seed in seeds for task, hand in cells]
    trials = Trials(RESULTS / 'demonstrations_trials.jsonl', digest_of_sources())
    do(cases, trials)
    rows: list[Row] = []
    for task, hand in cells:
        done = [
            trials.done[case]
            for case in cases
            if case in trials.done and (case.task, case.hand) == (task, hand)
        ]
        if not done:
            continue
        good = sum(trial.success for trial in done)
        low, high = wilson(good, len(done))
        name = f'{task} {hand}'
        rows += [
            info(f'{name}: success of {len(done)}', 100.0 * good / len(done), '%'),
            info(f'{name}: Wilson 95 %, from', 100.0 * low, '%'),
            info(f'{name}: Wilson 95 %, to', 100.0 * high, '%'),
            info(f'{name}: tried again', float(np.mean([t.retries for t in done])), 'a trial'),
            info(f'{name}: duration, median', float(np.median([t.duration for t in done])), 's'),
        ]
    count = VIDEOS_QUICK if options.quick else VIDEOS
    for task in TASKS:
        rows += _bare_hands(task, range(first, first + count))
    return rows


def _bare_hands(task: str, seeds: range) -> list[Row]:
    """Return what the tracker sees of people at a task, and whether they do it."""
    found: list[bool] = []
    errors: list[float] = []
    good, seconds, pictures = 0, 0.0, 0
    for seed in seeds:
        tracker = HandTracker(TrackingParams())
        with BareHand(BareHandParams(task=task, seed=seed, rate=RATE, depth=True)) as person:
            begin, spent = time.thread_time(), 0.0
            for frame in person.frames():
                looked = time.thread_time()
                hands = [hand for hand in tracker.process_frame(frame) if hand.side == 'right']
                found.append(bool(hands))
                if hands:
                    truth = person.keypoints()
                    tips = hands[0].keypoints[[4, 8]].mean(axis=0) - truth[[4, 8]].mean(axis=0)
                    errors.append(float(np.linalg.norm(tips)))
                spent += time.thread_time() - looked
                pictures += 1
            seconds += time.thread_time() - begin - spent
            good += person.success
        tracker.close()
    name = f'{task} with the bare hand'
    return [
        at_least(f'{name}: pictures with a hand', 100.0 * float(np.mean(found)), '%', FOUND),
        info(f'{name}: success of {len(seeds)}', 100.0 * good / len(seeds), '%'),
        info(f'{name}: pinch point in metres, median', 1e3 * float(np.nanmedian(errors)), 'mm'),
        info(f'{name}: a picture', 1e3 * seconds / pictures, 'ms of a processor'),
    ]
