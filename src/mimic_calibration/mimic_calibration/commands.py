"""What the command line does: collect, solve, judge, report, write."""

import argparse
import importlib
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.text import Text

from mimic_calibration.bag import bag_samples
from mimic_calibration.board import Board
from mimic_calibration.calibrate import calibrate_hand_eye
from mimic_calibration.cells import CameraCell, Cell, TwinSession
from mimic_calibration.check import check_drift
from mimic_calibration.detection import Detector, solve_view
from mimic_calibration.errors import CalibrationError
from mimic_calibration.files import (
    Robot,
    StoredHandEye,
    calibration_path,
    existing,
    stored_hand_eye,
    with_hand_eye,
    with_intrinsics,
    write_calibration,
)
from mimic_calibration.guide import CameraGuide, HandEyeGuide
from mimic_calibration.hand_eye import (
    HandEye,
    Sample,
    carrier_pose,
    mean_pose,
)
from mimic_calibration.intrinsics import calibrate_intrinsics
from mimic_calibration.kinematics import Arm
from mimic_calibration.proposal import Surroundings, around, propose
from mimic_calibration.refine import Assumptions
from mimic_calibration.report import hand_eye_page, intrinsics_page, write_page
from mimic_calibration.samples import (
    FolderWriter,
    RawSample,
    detect_all,
    hand_eye_samples,
    load_folder,
)
from mimic_calibration.twin import TwinCell
from mimic_calibration.verdict import Verdict, judge_hand_eye, judge_intrinsics
from mimic_camera import CameraParams, load_calibration, open_source
from mimic_core.arrays import Image
from mimic_core.camera import Intrinsics
from mimic_core.frames import inverse, look_at
from mimic_description import load_device

REDO: Final = 2  # exit code
_FIRST_POSES: Final = 8  # around the present one, where nothing is known yet
_LIVE: Final = 'mimic_calibration.live_node'  # knows ROS, loaded only when it is needed


def calibrate_camera(
    options: argparse.Namespace, board: Board, when: str, console: Console
) -> int:
    """Find the intrinsics of a camera and write them; return the exit code."""
    path = calibration_path(options.name, options.config)
    before = existing(path)
    detector = Detector(board)
    pictures: dict[str, Image] = {}
    if options.source in ('folder', 'bag'):
        raw = (
            load_folder(options.path).samples
            if options.source == 'folder'
            else tuple(bag_samples(options.path, options.camera)[0])
        )
        views, refused = detect_all(raw, detector)
        for name, reason in refused.items():
            console.print(f'{name}: {reason}', style='yellow', soft_wrap=True)
        pictures = {sample.name: sample.image for sample in raw}
    else:
        cell = _open_live(options, ()) if options.source == 'topics' else _open_camera(options)
        console.print(f'Show the board ({board.describe()}) everywhere in the picture, tilted.')
        try:
            guide = CameraGuide(cell, detector, options.out, console, options.views)
            found = guide.run(console.input if options.prompt else None)
        finally:
            cell.close()
        views = [(f'{number:03d}.png', view) for number, view in enumerate(found)]
        if views:
            pictures = {s.name: s.image for s in load_folder(options.out).samples}
    result = calibrate_intrinsics([view for _, view in views])
    blur = float(np.median([view.blur for _, view in views]))
    verdict = judge_intrinsics(result, blur)
    i = result.intrinsics
    console.print(
        f'fx {i.fx:.2f} fy {i.fy:.2f} cx {i.cx:.2f} cy {i.cy:.2f} px; error {result.rms:.3f} px, '
        f'{result.held_out:.3f} px in views left out'
    )
    for hint in result.coverage.missing()[:4]:
        console.print(f'  not shown: {hint}')
    facts = [('camera', options.name), ('when', when)]
    page = options.out / 'report.html'
    write_page(page, intrinsics_page(result, verdict, board, views, pictures, facts))
    data = with_intrinsics(before, result, verdict, board, when, options.name)
    return _finish(options, path, data, verdict, page, console)


def calibrate_pose(options: argparse.Namespace, board: Board, when: str, console: Console) -> int:
    """Find where a camera is and write it; return the exit code."""
    path = calibration_path(options.name, options.config)
    before = existing(path)
    given = load_calibration(path).intrinsics if before else None
    detector, rng = Detector(board), np.random.default_rng(options.seed)
    raw: list[RawSample] = []
    if options.source == 'folder':
        folder = load_folder(options.path)
        options.arm, options.hand = options.arm or folder.arm, options.hand or folder.hand
        raw = list(folder.samples)
        intrinsics = given
    elif options.source == 'bag':
        raw, optics = bag_samples(options.path, options.camera)
        intrinsics = given or optics
    if not options.arm:
        raise CalibrationError('which robot? give --arm')
    arm = Arm(options.arm, options.prefix)
    device = load_device(options.arm, 'arm')
    robot = Robot(options.arm, options.hand or device.default_hand or 'none', options.prefix)
    truth: HandEye | None = None
    if raw:
        if intrinsics is None:
            raise CalibrationError(
                f"the camera's intrinsics are not known: run './mimic calibrate camera --name "
                f"{options.name}' first"
            )
        samples, refused = hand_eye_samples(raw, detector, arm)
        for name, reason in refused.items():
            console.print(f'{name}: {reason}', style='yellow', soft_wrap=True)
    else:
        samples, raw, intrinsics, truth = _collect(
            options, board, arm, robot, detector, given, rng, console
        )
    assumptions = Assumptions()
    if options.joint_noise is not None:
        assumptions = Assumptions(joint_noise=options.joint_noise)
    result = calibrate_hand_eye(options.mount, samples, arm, intrinsics, rng, assumptions)
    verdict, refined = judge_hand_eye(result), result.refined
    console.print(
        f'camera in {robot.prefix}{refined.solution.reference}: '
        f'{np.round(refined.solution.reference_T_camera[:3, 3], 4).tolist()} m, '
        f'± {1e3 * refined.shift_error:.2f} mm, ± {np.degrees(refined.turn_error):.3f}° '
        f'({len(samples) - len(refined.rejected)} poses, {len(refined.rejected)} rejected)'
    )
    if truth is not None:
        off = inverse(truth.reference_T_camera) @ refined.solution.reference_T_camera
        angle = np.degrees(np.arccos(np.clip(0.5 * (np.trace(off[:3, :3]) - 1.0), -1, 1)))
        console.print(f'truth: {1e3 * np.linalg.norm(off[:3, 3]):.2f} mm and {angle:.3f}° away')
    facts = [
        ('camera', f'{options.name}, {options.mount.replace("_", " ")}'),
        ('robot', f'{robot.arm} with {robot.hand}'),
        ('when', when),
    ]
    page = options.out / 'report.html'
    pictures = {sample.name: sample.image for sample in raw}
    write_page(page, hand_eye_page(result, verdict, arm, board, pictures, facts))
    data = with_hand_eye(before, result, verdict, board, robot, intrinsics, when)
    return _finish(options, path, data, verdict, page, console)


def _collect(
    options: argparse.Namespace,
    board: Board,
    arm: Arm,
    robot: Robot,
    detector: Detector,
    given: Intrinsics | None,
    rng: np.random.Generator,
    console: Console,
) -> tuple[list[Sample], list[RawSample], Intrinsics, HandEye | None]:
    """Take samples of the twin or of a live robot."""
    truth: HandEye | None = None
    cell: Cell
    if options.source == 'twin':
        twin = TwinCell(robot.arm, robot.hand, board, options.mount, options.seed)
        cell, truth = TwinSession(twin, arm.robot.home), twin.truth
        intrinsics = twin.intrinsics
        start = propose(arm, robot.hand, board, twin.truth, intrinsics, 3, rng)[0]
        cell.move_to(start)
        options.move = True
    else:
        cell = _open_live(options, arm.joints)
        seen = given or cell.intrinsics()
        if seen is None:
            cell.close()
            raise CalibrationError(f'no {options.camera}/color/camera_info and no calibration')
        intrinsics = seen
    try:
        writer = FolderWriter(options.out, robot.arm, robot.hand)
        guide = HandEyeGuide(cell, detector, arm, intrinsics, writer, console)
        if options.move:
            _move_through(options, board, arm, robot, guide, cell, intrinsics, rng, console)
        else:
            guide.by_hand(console.input, options.poses)
    finally:
        cell.close()
    return guide.samples, guide.raw, intrinsics, truth


def _move_through(
    options: argparse.Namespace,
    board: Board,
    arm: Arm,
    robot: Robot,
    guide: HandEyeGuide,
    cell: Cell,
    intrinsics: Intrinsics,
    rng: np.random.Generator,
    console: Console,
) -> None:
    """Let the robot move: first around where it stands, then wherever the guess says."""
    console.print('The robot will move. Keep a hand on the stop button; Ctrl-C ends it.')
    if not guide.take():
        raise CalibrationError('the board must be in view at the start: bring the robot there')
    first, view = guide.samples[0], solve_view(guide.samples[0].detection, intrinsics)
    room = Surroundings(options.table_height)
    motion = carrier_pose(options.mount, arm.flange_pose(first.q))
    if options.camera_at and options.looks_at and options.mount == 'eye_to_hand':
        camera = look_at(np.array(options.camera_at), np.array(options.looks_at), np.eye(3)[2])
        guess = HandEye(
            options.mount, camera, mean_pose([inverse(motion) @ camera @ view.camera_T_board])
        )
    else:
        near = around(arm, robot.hand, board, first.q, _FIRST_POSES, rng, surroundings=room)
        guide.by_robot(near)
        found = guide.guess(HandEye(options.mount, np.eye(4), np.eye(4)), rng)
        if found is None:
            raise CalibrationError('these poses give no first guess: give --camera-at, --looks-at')
        guess = found
    count = max(options.poses - len(guide.samples), 0)
    poses = propose(
        arm, robot.hand, board, guess, intrinsics, count, rng,
        q_start=guide.samples[-1].q, surroundings=room,
    )  # fmt: skip
    guide.by_robot(poses)


def check(options: argparse.Namespace, console: Console) -> int:
    """Compare views of the board with a stored calibration; return the exit code."""
    path = calibration_path(options.name, options.config)
    stored: StoredHandEye = stored_hand_eye(path)
    arm, detector = Arm(stored.robot.arm, stored.robot.prefix), Detector(stored.board)
    if options.source == 'topics':
        cell = _open_live(options, arm.joints)
        try:
            writer = FolderWriter(options.out, stored.robot.arm, stored.robot.hand)
            guide = HandEyeGuide(cell, detector, arm, stored.intrinsics, writer, console)
            for number in range(options.views):
                if number:
                    console.input('Move the robot, let it stand, press Enter')
                guide.take()
        finally:
            cell.close()
        samples = guide.samples
    else:
        raw = (
            list(load_folder(options.path).samples)
            if options.source == 'folder'
            else bag_samples(options.path, options.camera)[0]
        )
        samples = _few(raw, detector, arm, console)
    drift = check_drift(stored, samples, arm)
    colour = {'ok': 'green', 'drifting': 'yellow', 'moved': 'red'}[drift.state]
    console.print(
        Text.assemble(
            (drift.sentence, colour),
            f' ({drift.views} views, {drift.pixels:.1f} px; limits '
            f'{1e3 * drift.tolerance_shift:.1f} mm, {np.degrees(drift.tolerance_turn):.2f}°)',
        )
    )
    return drift.exit_code


def _few(raw: list[RawSample], detector: Detector, arm: Arm, console: Console) -> list[Sample]:
    """Return the usable ones; unlike for a calibration one is enough."""
    found = []
    for sample in raw:
        try:
            found += hand_eye_samples([sample], detector, arm, least=1)[0]
        except CalibrationError as error:
            console.print(f'{sample.name}: {error}', style='yellow', soft_wrap=True)
    return found


def _open_camera(options: argparse.Namespace) -> CameraCell:
    params = CameraParams(
        source=options.source, device=options.device, path=str(options.path or ''),
        width=options.width, height=options.height, real_time=False,
    )  # fmt: skip
    return CameraCell(open_source(params, None, time.monotonic))


def _open_live(options: argparse.Namespace, joints: tuple[str, ...]) -> Any:
    try:
        module = importlib.import_module(_LIVE)
    except ImportError as error:
        raise CalibrationError(f'--source topics needs ROS 2: {error}') from error
    return module.open_live(options.camera, joints, options.namespace)


def _finish(
    options: argparse.Namespace,
    path: Path,
    data: dict[str, Any],
    verdict: Verdict,
    page: Path,
    console: Console,
) -> int:
    colour = {'good': 'green', 'usable': 'yellow', 'redo': 'red'}[verdict.level]
    console.print(verdict.sentence, style=f'bold {colour}')
    console.print(f'report: {page}', soft_wrap=True)
    if verdict.level == 'redo' and not options.force:
        console.print(f'{path} is not changed; --force writes it all the same', soft_wrap=True)
        return REDO
    backup = write_calibration(path, data)
    aside = f', the old one is {backup.name}' if backup else ''
    console.print(f'written: {path}{aside}', soft_wrap=True)
    return 0
