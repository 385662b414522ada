"""Command line: the path of known objects through a recorded RGB-D bag."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from rich.console import Console

from mimic_core.arguments import add_arguments, from_arguments, guarded
from mimic_core.arrays import Image
from mimic_core.camera import Frame
from mimic_core.params import from_mapping
from mimic_object_tracking.drawing import draw_object, save_picture
from mimic_object_tracking.mesh import load_object
from mimic_object_tracking.params import ObjectTrackingParams, SightParams
from mimic_object_tracking.recorded import bag_frames, follow, write_paths
from mimic_object_tracking.tracker import ObjectTracker
from mimic_object_tracking.view import ObjectEstimate

_PICTURES: Final = 12  # on the sheet
_COLUMNS: Final = 4


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = argparse.ArgumentParser(
        prog='./mimic run mimic_object_tracking track',
        description='Follow known objects through a recorded RGB-D bag.',
    )
    parser.add_argument('bag', type=Path, help='folder or file of the bag')
    parser.add_argument('--object', type=Path, action='append', required=True, metavar='MESH',
                        help='mesh in metres; again for another object')  # fmt: skip
    parser.add_argument('--camera', default='camera', help='prefix of the topics')
    parser.add_argument('--scale', type=float, default=1.0, help='metres in a unit of the mesh')
    parser.add_argument('--symmetry', default='auto', help='auto, none, z, or x2,z4')
    parser.add_argument('--out', type=Path, default=Path('out/objects'),
                        help='folder for poses.csv and sheet.png')  # fmt: skip
    add_arguments(parser, SightParams)
    return parser


class Sheet:
    """Some of the pictures with the objects drawn on them, evenly over a video of any length."""

    def __init__(self, tracker: ObjectTracker) -> None:
        self._models = {track.model.name: track.model for track in tracker.tracks}
        self._kept: list[Image] = []
        self._step, self._count = 1, 0

    def add(self, frame: Frame, found: tuple[ObjectEstimate, ...]) -> None:
        """Take a picture and what was found in it."""
        if self._count % self._step == 0:
            picture = frame.color
            for estimate in found:
                label = f'{estimate.name} {estimate.confidence:.2f}'
                picture = draw_object(
                    picture, self._models[estimate.name], estimate.camera_T_object,
                    frame.intrinsics, label,
                )  # fmt: skip
            scale = 480 / picture.shape[1]
            self._kept.append(cv2.resize(picture, None, fx=scale, fy=scale))  # type: ignore[arg-type]
            if len(self._kept) == 2 * _PICTURES:  # every other one is enough
                del self._kept[1::2]
                self._step *= 2
        self._count += 1

    def write(self, path: Path) -> None:
        """Write the pictures in rows."""
        index = np.linspace(0, len(self._kept) - 1, min(_PICTURES, len(self._kept))).astype(int)
        chosen = [self._kept[i] for i in index]
        chosen += [np.zeros_like(chosen[0])] * (-len(chosen) % _COLUMNS)
        rows = [np.hstack(chosen[i : i + _COLUMNS]) for i in range(0, len(chosen), _COLUMNS)]
        save_picture(path, np.vstack(rows))


def run(options: argparse.Namespace, console: Console) -> int:
    """Follow the objects; return the exit code: 0 when all of them are seen and move.

    Raises:
        MimicError, OSError: It could not be done; says why.
    """
    given = {
        'objects': [str(path) for path in options.object],
        'mesh_scale': options.scale,
        'symmetry': options.symmetry,
    }
    params = from_mapping(ObjectTrackingParams, given | vars(from_arguments(SightParams, options)))
    models = [load_object(Path(path), params.mesh_scale, params.symmetry)
              for path in params.objects]  # fmt: skip
    for model in models:
        console.print(model.describe(), highlight=False, soft_wrap=True)
    tracker = ObjectTracker(models, params)
    sheet = Sheet(tracker)
    options.out.mkdir(parents=True, exist_ok=True)  # before the work, which takes long
    paths = follow(bag_frames(options.bag, options.camera), tracker, sheet.add)
    write_paths(paths, options.out / 'poses.csv')
    sheet.write(options.out / 'sheet.png')
    for path in paths:
        console.print(path.summary(), highlight=False, soft_wrap=True)
    console.print(f'written to {options.out}', highlight=False, soft_wrap=True)
    return 0 if all(path.moves for path in paths) else 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Be the command."""
    options = build_parser().parse_args(arguments)
    sys.exit(
        guarded('track', lambda: run(options, Console(markup=False)), 'no poses were written')
    )
