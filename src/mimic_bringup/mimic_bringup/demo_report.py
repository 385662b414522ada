"""The demo's report: numbers from the recorded episode, plots, one page."""

import base64
import html
import io
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from mimic_bringup.streams import STATES, Series, Streams
from mimic_core import frames
from mimic_core.arrays import FloatArray
from mimic_core.keypoints import TIPS, WRIST

mpl.use('Agg')
import matplotlib.pyplot as plt

_NAMES = {
    'palm_followed_mm': 'measured palm from the wanted one, lag included [mm]',
    'palm_mm': 'palm of the command from the wanted one [mm]',
    'orientation_deg': 'its orientation [deg]',
    'finger_tips_mm': 'finger tips of the command from theirs [mm]',
}
_SAME = 0.001  # [s], stamps closer than this are those of one image


def summarise(streams: Streams) -> dict[str, Any]:
    """Return the numbers of the report; values that cannot be known are None."""
    control = streams.control
    latency = control.values[:, 1] * 1e3 if len(control.values) else np.zeros(0)
    errors = tracking_errors(streams)
    followed = np.isfinite(streams.hands.values[:, WRIST, 0])
    success = streams.success
    done = success is not None and len(success.values) > 0
    return {
        'task': streams.task,
        'success': bool(success.values[-1, 0]) if done and success is not None else None,
        'success_ever': bool(success.values[-1, 1]) if done and success is not None else None,
        'duration_s': round(streams.duration, 2),
        'latency_ms': {
            'camera to hand': _spread((streams.hands.received - streams.hands.stamps) * 1e3),
            'camera to command': _spread(
                (streams.commands.received - streams.commands.stamps) * 1e3
            ),
            'camera to gate output': _spread(latency),
        },
        'rates_hz': {name: round(rate, 1) for name, rate in sorted(streams.rates.items())},
        'messages': dict(sorted(streams.counts.items())),
        'hand_found_percent': _percent(followed),
        'tracking_error_mm': {name: _spread(e * 1e3) for name, e in errors.items()},
        'robot_error': {
            'palm_followed_mm': _spread(following_error(streams) * 1e3),
            'palm_mm': _spread(streams.shadow_errors.values[:, 0] * 1e3),
            'orientation_deg': _spread(np.degrees(streams.shadow_errors.values[:, 1])),
            'finger_tips_mm': _spread(streams.shadow_errors.values[:, 2] * 1e3),
        },
        'missed_control_ticks': int(control.values[-1, 2]) if len(control.values) else None,
        'states_percent': {
            STATES[i]: _percent(control.values[:, 0] == i)
            for i in range(len(STATES))
            if len(control.values) and (control.values[:, 0] == i).any()
        },
    }


def tracking_errors(streams: Streams) -> dict[str, FloatArray]:
    """Return 3-D errors [m] of tracked landmarks against the truth of the same image, by kind."""
    result: dict[str, list[float]] = {'visible': [], 'hidden': [], 'wrist': [], 'finger tips': []}
    if len(streams.truth.stamps) == 0:
        return {}
    for stamp, hand in zip(streams.hands.stamps, streams.hands.values, strict=True):
        i = int(np.argmin(np.abs(streams.truth.stamps - stamp)))
        if abs(streams.truth.stamps[i] - stamp) > _SAME:
            continue
        error = np.linalg.norm(hand - streams.truth.values[i], axis=1)
        seen = streams.visible.values[i] > 0.5
        result['visible'] += error[seen].tolist()
        result['hidden'] += error[~seen].tolist()
        result['wrist'].append(float(error[WRIST]))
        result['finger tips'] += error[list(TIPS)].tolist()
    return {name: np.array(values) for name, values in result.items()}


def following_error(streams: Streams) -> FloatArray:
    """Return the distance (N,) [m] of the measured palm from what the hand asked for then.

    It holds the whole lag: tracking, gate and motors.
    """
    wanted, palm = streams.shadow, streams.palm
    index = np.searchsorted(palm.stamps, wanted.received) - 1
    known = index >= 0
    error: FloatArray = np.linalg.norm(wanted.values[known] - palm.values[index[known]], axis=1)
    return error


def _spread(values: FloatArray) -> dict[str, float | int] | None:
    good = values[np.isfinite(values)] if len(values) else values
    if len(good) == 0:
        return None
    return {
        'median': round(float(np.median(good)), 2),
        'p95': round(float(np.percentile(good, 95)), 2),
        'max': round(float(good.max()), 2),
        'samples': len(good),
    }


def _percent(flags: Any) -> float | None:
    return round(100.0 * float(np.mean(flags)), 1) if len(flags) else None


# The page -----------------------------------------------------------------------------------

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; max-width: 980px; margin: 2rem auto; color: #222;
  padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse } td, th { padding: .25rem .9rem .25rem 0; text-align: left;
  border-bottom: 1px solid #ddd; vertical-align: top } td.n { text-align: right }
.ok { color: #17753a; font-weight: 600 } .no { color: #b3261e; font-weight: 600 }
img, video { max-width: 100% } .note { color: #666 }
"""


def write_report(streams: Streams, folder: Path, about: dict[str, str]) -> Path:
    """Write report.json and report.html to a folder; return the path of the page.

    Args:
        streams: The episode.
        folder: Where demo.mp4 and episode/ are too.
        about: What was run: arm, hand, source, command, commit, date.
    """
    summary = {'about': about, **summarise(streams)}
    (folder / 'report.json').write_text(
        json.dumps(summary, indent=1, ensure_ascii=False) + '\n', encoding='utf-8'
    )
    page = folder / 'report.html'
    page.write_text(_page(streams, summary, (folder / 'demo.mp4').exists()), encoding='utf-8')
    return page


def _page(streams: Streams, summary: dict[str, Any], video: bool) -> str:
    about = summary['about']
    parts = [
        f'<h1>Hand shadowing: {html.escape(about["arm"])} with {html.escape(about["hand"])}</h1>',
        _verdict(summary),
        '<video src="demo.mp4" controls muted loop></video>' if video else '',
        '<h2>Latency from the capture of the image</h2>',
        _spread_table(summary['latency_ms'], 'ms'),
        '<h2>Tracking error against the truth of the virtual demonstrator</h2>',
        _spread_table(summary['tracking_error_mm'], 'mm')
        if summary['tracking_error_mm']
        else '<p class="note">The hand is a real one: nobody knows the truth.</p>',
        '<h2>Robot against what the hand asked for</h2>',
        _spread_table(summary['robot_error'], ''),
        '<h2>Paths</h2>',
        _picture(_plot_paths(streams)),
        _picture(_plot_latency(streams)),
        '<h2>Topics</h2>',
        _table(
            ['topic', 'Hz', 'messages'],
            [
                [name, rate, summary['messages'][name]]
                for name, rate in summary['rates_hz'].items()
            ],
        ),
        '<h2>About</h2>',
        _table(['', ''], [[k, v] for k, v in about.items()]),
    ]
    body = '\n'.join(parts)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hand shadowing</title>'
        f'<style>{_STYLE}</style></head><body>{body}</body></html>\n'
    )


def _verdict(summary: dict[str, Any]) -> str:
    found = summary['hand_found_percent']
    facts = [f'{summary["duration_s"]} s', f'hand found in {found} % of the images']
    if summary['missed_control_ticks'] is not None:
        facts.append(f'{summary["missed_control_ticks"]} missed control ticks')
    facts += [f'{state} {share} %' for state, share in summary['states_percent'].items()]
    if summary['success'] is None:
        verdict = ''
    elif summary['success']:
        verdict = f'<span class="ok">task {html.escape(summary["task"])} succeeded</span> · '
    else:
        verdict = f'<span class="no">task {html.escape(summary["task"])} did not succeed</span> · '
    return f'<p>{verdict}{" · ".join(facts)}</p>'


def _table(head: list[str], rows: list[list[Any]]) -> str:
    def cell(value: Any) -> str:
        kind = ' class="n"' if isinstance(value, int | float) else ''
        return f'<td{kind}>{html.escape(str(value))}</td>'

    top = ''.join(f'<th>{html.escape(name)}</th>' for name in head)
    body = ''.join(f'<tr>{"".join(cell(v) for v in row)}</tr>' for row in rows)
    return f'<table><tr>{top}</tr>{body}</table>'


def _spread_table(spreads: dict[str, Any], unit: str) -> str:
    rows: list[list[Any]] = [
        [_NAMES.get(name, name), s['median'], s['p95'], s['max'], s['samples']]
        for name, s in spreads.items()
        if s is not None
    ]
    unit = f' [{unit}]' if unit else ''
    return _table(['', f'median{unit}', 'p95', 'max', 'samples'], rows)


def _picture(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format='png', dpi=110, bbox_inches='tight')
    plt.close(figure)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="plot" src="data:image/png;base64,{data}">'


def _plot_paths(streams: Streams) -> Any:
    figure, axes = plt.subplots(3, 1, figsize=(9, 6), sharex=True)
    start = _start(streams)
    for axis, name, i in zip(axes, 'xyz', range(3), strict=True):
        for series, label, style in (
            (streams.shadow, 'palm, wanted by the hand', '-'),
            (streams.palm, 'palm of the robot', '-'),
            (streams.grasp, 'its grasp center', ':'),
            *((s, n, '--') for n, s in streams.objects.items()),
        ):
            if len(series.stamps):
                axis.plot(series.stamps - start, series.values[:, i], style, label=label, lw=1.3)
        axis.set_ylabel(f'{name} [m]')
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel('time [s]')
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles[:6], labels[:6], loc='upper center', ncol=3, fontsize=8)
    return figure


def _plot_latency(streams: Streams) -> Any:
    figure, axis = plt.subplots(figsize=(9, 2.6))
    start = _start(streams)
    for series, label in ((streams.hands, 'to hand'), (streams.commands, 'to command')):
        if len(series.stamps):
            delay = (series.received - series.stamps) * 1e3
            axis.plot(series.stamps - start, delay, '.', ms=3, label=f'camera {label}')
    control = streams.control
    if len(control.stamps):
        axis.plot(
            control.stamps - start, control.values[:, 1] * 1e3, '.', ms=4,
            label='camera to gate output',
        )  # fmt: skip
    axis.set_xlabel('time [s]')
    axis.set_ylabel('latency [ms]')
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    if axis.get_legend_handles_labels()[0]:
        axis.legend(fontsize=8)
    return figure


def _start(streams: Streams) -> float:
    firsts = [
        s.stamps[0] for s in (streams.joints, streams.hands, streams.control) if len(s.stamps)
    ]
    return float(min(firsts)) if firsts else 0.0


def object_pose(series: Series, time: float) -> FloatArray | None:
    """Return world_T_object (4, 4) at a time [s], None when it is not known."""
    value = series.at(time)
    if value is None or not np.isfinite(value).all():
        return None
    return frames.from_xyz_quat(value[:3], value[3:])
