"""A page for people: verdict, residuals, the poses in space, every detection."""

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.figure import Figure
from PIL import Image as Pictures

from mimic_calibration.board import Board
from mimic_calibration.calibrate import HandEyeResult
from mimic_calibration.detection import Detection
from mimic_calibration.drawing import contact_sheet, draw_detection
from mimic_calibration.hand_eye import carrier_pose, project
from mimic_calibration.intrinsics import IntrinsicsResult
from mimic_calibration.kinematics import Arm
from mimic_calibration.verdict import Verdict
from mimic_core.arrays import FloatArray, Image
from mimic_core.errors import ConfigError

_COLOURS: Final = {'good': '#1b7f4b', 'usable': '#b07400', 'redo': '#b3261e'}
_USED, _LEFT_OUT, _REJECTED = '#2b6cb0', '#dd8a2e', '#b3261e'
_AXES: Final = ('#d64545', '#3f9142', '#2b6cb0')
_STYLE: Final = """
body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;max-width:1080px;margin:2rem auto;
padding:0 1rem}h1{font-size:1.5rem}.verdict{color:#fff;padding:.7rem 1rem;border-radius:8px}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .9rem .25rem 0;text-align:left;
border-bottom:1px solid #dde3ea;font-variant-numeric:tabular-nums}img{max-width:100%}
.rejected{color:#b3261e}
"""


def hand_eye_page(
    result: HandEyeResult,
    verdict: Verdict,
    arm: Arm,
    board: Board,
    pictures: Mapping[str, Image],
    facts: Sequence[tuple[str, str]],
) -> str:
    """Return the HTML of a hand-eye calibration; pictures by the name of their sample."""
    refined = result.refined
    used = [r for r in refined.residuals if r.used]
    held = refined.held_out
    degrees = np.degrees
    rows = [
        *facts,
        ('board', board.describe()),
        ('poses', f'{len(used)} used, {len(refined.rejected)} rejected'),
        (
            'expected error, one standard deviation',
            f'{1e3 * refined.shift_error:.2f} mm, {degrees(refined.turn_error):.3f}° of the '
            f'camera; {1e3 * refined.point_error:.2f} mm of a point where the board was',
        ),
        (
            'residuals, median',
            f'{_median(r.pixels for r in used):.2f} px, '
            f'{1e3 * _median(r.shift for r in used):.2f} mm, '
            f'{degrees(_median(r.turn for r in used)):.3f}°',
        ),
        (
            'poses left out of the fit, median',
            f'{_median(r.pixels for r in held):.2f} px, '
            f'{1e3 * _median(r.shift for r in held):.2f} mm, '
            f'{degrees(_median(r.turn for r in held)):.3f}°',
        ),
        ('size of the print', f'{100 * refined.scale:.2f} % of what was given'),
        (
            'joint offsets found',
            ', '.join(f'{degrees(v):+.3f}°' for v in refined.joint_offsets),
        ),
        (
            'rotations, rms about each axis',
            ', '.join(f'{degrees(v):.0f}°' for v in result.spread.angles),
        ),
        ('closed form for the start', result.start),
    ]
    figures = [
        ('Residuals', _residual_figure(result)),
        ('Poses', _pose_figure(result, arm)),
    ]
    drawn = []
    for sample in result.samples:
        if sample.name not in pictures:
            continue
        flange = arm.flange_pose(sample.q + refined.joint_offsets)
        pose = refined.solution.board_in_camera(flange)
        points = project(pose, refined.scale * sample.detection.points, refined.intrinsics)
        rejected = ' rejected' if sample.name in refined.rejected else ''
        drawn.append(
            draw_detection(pictures[sample.name], sample.detection, points, sample.name + rejected)
        )
    table = [
        (
            r.name,
            f'{r.pixels:.2f}',
            f'{1e3 * r.shift:.2f}',
            f'{degrees(r.turn):.3f}',
            'used' if r.used else 'rejected',
        )
        for r in refined.residuals
    ]
    heads = ('pose', 'error [px]', 'board off [mm]', 'board off [°]', '')
    return _page('Hand-eye calibration', verdict, rows, figures, drawn, heads, table)


def intrinsics_page(
    result: IntrinsicsResult,
    verdict: Verdict,
    board: Board,
    views: Sequence[tuple[str, Detection]],
    pictures: Mapping[str, Image],
    facts: Sequence[tuple[str, str]],
) -> str:
    """Return the HTML of a camera calibration; views as they were calibrated, in order."""
    i, d = result.intrinsics, result.deviation
    rows = [
        *facts,
        ('board', board.describe()),
        ('views', f'{int(result.used.sum())} used, {int((~result.used).sum())} rejected'),
        ('focal length', f'{i.fx:.2f} ± {d[0]:.2f}, {i.fy:.2f} ± {d[1]:.2f} px'),
        ('principal point', f'{i.cx:.2f} ± {d[2]:.2f}, {i.cy:.2f} ± {d[3]:.2f} px'),
        ('distortion k1 k2 p1 p2 k3', ', '.join(f'{v:.4f}' for v in i.distortion)),
        ('error', f'{result.rms:.3f} px, {result.held_out:.3f} px in views left out'),
        ('with other views the picture would change by', f'{result.field_error:.2f} px'),
    ]
    figure = Figure(figsize=(10, 3.6), layout='constrained')
    left, right = figure.subplots(1, 2)
    colours = [_USED if ok else _REJECTED for ok in result.used]
    left.bar(range(len(result.view_rms)), result.view_rms, color=colours)
    left.set(xlabel='view', ylabel='rms error [px]')
    points = np.concatenate([v.pixels for _, v in views])
    right.plot(points[:, 0], points[:, 1], '.', ms=2, color=_USED)
    right.set(
        xlim=(0, i.width), ylim=(i.height, 0), aspect='equal', title='where points were seen'
    )
    drawn = [draw_detection(pictures[n], v, None, n) for n, v in views if n in pictures]
    table = [
        (name, str(len(view)), f'{rms:.3f}', f'{view.blur:.2f}', 'used' if ok else 'rejected')
        for (name, view), rms, ok in zip(views, result.view_rms, result.used, strict=True)
    ]
    heads = ('view', 'points', 'error [px]', 'blur [px]', '')
    return _page('Camera calibration', verdict, rows, [('Errors', figure)], drawn, heads, table)


def write_page(path: Path, text: str) -> None:
    """Write a page; raises ConfigError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise ConfigError(f'{path} cannot be written: {error}') from error


def _page(
    title: str,
    verdict: Verdict,
    facts: Sequence[tuple[str, str]],
    figures: Sequence[tuple[str, Figure]],
    drawn: Sequence[Image],
    heads: Sequence[str],
    table: Sequence[Sequence[str]],
) -> str:
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>',
        f'<style>{_STYLE}</style><h1>{title}</h1>',
        f'<p class="verdict" style="background:{_COLOURS[verdict.level]}">'
        f'{html.escape(verdict.sentence.capitalize())}</p><table>',
    ]
    parts += [f'<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>' for k, v in facts]
    parts.append('</table>')
    for name, figure in figures:
        parts.append(f'<h2>{name}</h2><img alt="{name}" src="{_figure_url(figure)}">')
    if drawn:
        sheet = _picture_url(contact_sheet(drawn))
        parts.append(
            '<h2>Detections</h2><p>Circles: found. Crosses: where the solution puts them.</p>'
            f'<img alt="detections" src="{sheet}">'
        )
    parts.append('<h2>One by one</h2><table><tr>')
    parts += [f'<th>{html.escape(head)}</th>' for head in heads]
    parts.append('</tr>')
    for row in table:
        kind = ' class="rejected"' if row[-1] == 'rejected' else ''
        cells = ''.join(f'<td>{html.escape(cell)}</td>' for cell in row)
        parts.append(f'<tr{kind}>{cells}</tr>')
    parts.append('</table></html>\n')
    return ''.join(parts)


def _residual_figure(result: HandEyeResult) -> Figure:
    refined = result.refined
    figure = Figure(figsize=(10, 6.4), layout='constrained')
    axes: Any = figure.subplots(3, 1, sharex=True)
    names = [r.name.removesuffix('.png') for r in refined.residuals]
    held = {r.name: r for r in refined.held_out}
    for axis, unit, scale, key in (
        (axes[0], 'px', 1.0, 'pixels'),
        (axes[1], 'mm', 1e3, 'shift'),
        (axes[2], '°', float(np.degrees(1.0)), 'turn'),
    ):
        values = [scale * getattr(r, key) for r in refined.residuals]
        out = [scale * getattr(held[r.name], key) if r.name in held else np.nan
               for r in refined.residuals]  # fmt: skip
        good = [r.used for r in refined.residuals]
        colours = [_USED if ok else _REJECTED for ok in good]
        axis.bar(range(len(values)), values, color=colours, width=0.6)
        axis.plot(range(len(out)), out, 'D', ms=4, color=_LEFT_OUT)
        top = max(
            [v for v, ok in zip(values, good, strict=True) if ok] + [v for v in out if v == v]
        )
        axis.set_ylim(0, 1.25 * top)
        for x, value in enumerate(values):
            if value > 1.25 * top:  # a rejected one beyond the plot
                axis.annotate(f'{value:.2g}', (x, 1.16 * top), ha='center', color='white', size=7)
        axis.set_ylabel(unit)
        axis.grid(axis='y', alpha=0.3)
    axes[0].set_title('bars: fit (red: rejected), diamonds: left out of the fit', fontsize=10)
    axes[2].set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    return figure


def _pose_figure(result: HandEyeResult, arm: Arm) -> Figure:
    refined = result.refined
    solution = refined.solution
    figure = Figure(figsize=(9, 6.4), layout='constrained')
    axis: Any = figure.add_subplot(projection='3d')
    boards, cameras = [], []
    for sample in result.samples:
        if sample.name in refined.rejected:
            continue
        flange = arm.flange_pose(sample.q + refined.joint_offsets)
        motion = carrier_pose(solution.mount, flange)
        if solution.mount == 'eye_to_hand':
            boards.append(motion @ solution.carrier_T_board)
        else:
            cameras.append(flange @ solution.reference_T_camera)
    if solution.mount == 'eye_to_hand':
        cameras = [solution.reference_T_camera]
    else:
        boards = [solution.carrier_T_board]
    places = np.array([p[:3, 3] for p in [*boards, *cameras, np.eye(4)]])
    reach = float(np.ptp(places, axis=0).max())
    for pose in boards:
        _triad(axis, pose, 0.06 * reach)
    for pose in cameras:
        _frustum(axis, pose, 0.09 * reach, refined.intrinsics.width / refined.intrinsics.height)
    _triad(axis, np.eye(4), 0.15 * reach)
    axis.text(0, 0, 0, ' base_link')
    low, high = places.min(axis=0) - 0.05, places.max(axis=0) + 0.05
    axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), zlim=(low[2], high[2]))
    axis.set_box_aspect(high - low)
    axis.set(xlabel='x [m]', ylabel='y [m]', zlabel='z [m]')
    axis.view_init(elev=24, azim=-60)
    return figure


def _triad(axis: Any, pose: FloatArray, length: float) -> None:
    for direction, colour in zip(pose[:3, :3].T, _AXES, strict=True):
        ends = np.stack([pose[:3, 3], pose[:3, 3] + length * direction])
        axis.plot(*ends.T, color=colour, lw=1.5)


def _frustum(axis: Any, pose: FloatArray, depth: float, aspect: float) -> None:
    half = 0.4 * depth
    corners = np.array(
        [[x * aspect * half, y * half, depth] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    )
    there = corners @ pose[:3, :3].T + pose[:3, 3]
    loop = np.vstack([there, there[:1]])
    axis.plot(*loop.T, color='#333', lw=0.9)
    for corner in there:
        axis.plot(*np.stack([pose[:3, 3], corner]).T, color='#333', lw=0.9)


def _median(values: Any) -> float:
    collected = list(values)
    return float(np.median(collected)) if collected else float('nan')


def _figure_url(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=110)
    return 'data:image/png;base64,' + base64.b64encode(buffer.getvalue()).decode()


def _picture_url(picture: Image) -> str:
    buffer = io.BytesIO()
    Pictures.fromarray(picture).save(buffer, format='JPEG', quality=85)
    return 'data:image/jpeg;base64,' + base64.b64encode(buffer.getvalue()).decode()
