"""The report of an episode as text and as one HTML file without scripts."""

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Final

import numpy as np

from mimic_core.arrays import FloatArray

if TYPE_CHECKING:
    from mimic_recording.report import EpisodeReport, Spread, TopicReport

BINS: Final = 120  # of the picture of each topic's rate
WIDTH, HEIGHT = 360, 22  # [px] of that picture

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --good: #2a78d6; --bad: #c9382b; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; }
body { padding: 0 1rem; }
h1 { font-size: 1.4rem; margin: 0 0 .2rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
.sub { opacity: .7; margin: 0 0 1rem; } .wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .25rem .6rem; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; white-space: nowrap; }
td small { opacity: .6; } .bad { color: var(--bad); font-weight: 600; }
ul { margin: .3rem 0; padding-left: 1.2rem; } svg { display: block; }
svg rect { fill: var(--good); } svg .none { fill: var(--bad); }
"""


def text(report: 'EpisodeReport') -> str:
    """Return the report in lines for a terminal."""
    lines = [
        f'{report.name}: {report.duration:.1f} s, {report.messages} messages, '
        f'{report.size / 1e6:.1f} MB, {report.end or "end unknown"}',
    ]
    if report.task:
        lines.append(f'task: {report.task}')
    width = max((len(t.name) for t in report.topics), default=5)
    head = f'{"topic":{width}}  {"count":>7} {"Hz":>7} {"gaps":>5} {"lost":>5} {"miss":>5}'
    lines += ['', f'{head} {"latency ms":>12}']
    for t in report.topics:
        lines.append(
            f'{t.name:{width}}  {t.count:7d} {_number(t.rate, "7.1f")} {t.gaps:5d} '
            f'{_number(t.lost, "5d")} {_number(t.missing, "5d")} {_latency(t):>12}'
        )
    if report.sync:
        lines += ['', 'agreement of stamps']
        for s in report.sync:
            error = '' if s.error is None else f', largest difference {_ms(s.error.largest)} ms'
            lines.append(f'  {s.reference} and {s.other}: {s.pairs} pairs, {s.alone} alone{error}')
    lines += ['', *[f'! {flag}' for flag in report.flags]] if report.flags else ['', 'no flags']
    return '\n'.join(lines)


def page(report: 'EpisodeReport', times: Mapping[str, FloatArray]) -> str:
    """Return the HTML of a report.

    Args:
        report: What to show.
        times: For each topic (N,) times of receipt from the start [s].
    """
    flags = ''.join(f'<li class="bad">{escape(flag)}</li>' for flag in report.flags)
    topics = ''.join(_topic_row(t, times[t.name], report.duration) for t in report.topics)
    sync = ''.join(
        f'<tr><td>{escape(s.reference)}</td><td>{escape(s.other)}</td><td>{s.pairs}</td>'
        f'<td>{_alarm(s.alone)}</td>{_spread_cells(s.error)}</tr>'
        for s in report.sync
    )
    task = f' — {escape(report.task)}' if report.task else ''
    return document(
        report.name,
        f"""<h1>{escape(report.name)}{task}</h1>
<p class="sub">{report.duration:.1f} s · {report.messages} messages ·
{report.size / 1e6:.1f} MB · {escape(report.end or 'end unknown')}</p>
<h2>Flags</h2><ul>{flags or '<li>none</li>'}</ul>
<h2>Topics</h2><div class="wide"><table>
<tr><th>topic</th><th>messages over time</th><th>count</th><th>rate<br>Hz</th>
<th>period p95<br>ms</th><th>gaps</th><th>longest<br>ms</th><th>lost</th><th>missing</th>
<th>dropped</th><th>latency<br>median, p95 ms</th></tr>{topics}</table></div>
<h2>Agreement of capture stamps</h2><div class="wide"><table>
<tr><th>reference</th><th>other</th><th>pairs</th><th>alone</th><th>median<br>ms</th>
<th>p95<br>ms</th><th>largest<br>ms</th></tr>{sync}</table></div>
<p class="sub">lost: by the publisher's sequence numbers. missing: by the spacing of capture
stamps. dropped: by the recorder for want of disk speed. –: cannot be told.</p>
""",
    )


def document(title: str, body: str) -> str:
    """Return an HTML page without scripts that looks as all reports do."""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{_STYLE}</style></head><body>
{body}</body></html>
"""


def _topic_row(t: 'TopicReport', times: FloatArray, duration: float) -> str:
    p95 = None if t.period is None else t.period.p95 * 1e3
    longest = None if t.longest_gap is None else t.longest_gap * 1e3
    return (
        f'<tr><td>{escape(t.name)}<br><small>{escape(t.type)}</small></td>'
        f'<td>{_picture(times, duration, t.nominal is not None)}</td><td>{t.count}</td>'
        f'<td>{_number(t.rate, ".1f")}</td><td>{_number(p95, ".1f")}</td>'
        f'<td>{_alarm(t.gaps)}</td><td>{_number(longest, ".1f")}</td>'
        f'<td>{_alarm(t.lost)}</td><td>{_alarm(t.missing)}</td><td>{_alarm(t.dropped)}</td>'
        f'<td>{_latency(t)}</td></tr>'
    )


def _picture(times: FloatArray, duration: float, regular: bool) -> str:
    """Draw how many messages came when; a red mark where a regular topic was silent."""
    if duration <= 0 or len(times) == 0:
        return ''
    bins = int(min(BINS, max(len(times) // 4, 1))) if regular else BINS
    counts, _ = np.histogram(times, bins=bins, range=(0.0, duration))
    step = WIDTH / bins
    top = max(int(counts.max()), 1)
    bars = []
    for i, count in enumerate(counts):
        x, width = f'{i * step:.1f}', f'{max(step - 0.5, 1.0):.1f}'
        if count:
            high = HEIGHT * float(count) / top
            bars.append(
                f'<rect x="{x}" y="{HEIGHT - high:.1f}" width="{width}" height="{high:.1f}"/>'
            )
        elif regular:
            bars.append(
                f'<rect class="none" x="{x}" y="{HEIGHT - 3}" width="{width}" height="3"/>'
            )
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="messages over time">{"".join(bars)}</svg>'
    )


def _spread_cells(spread: 'Spread | None') -> str:
    values = (None,) * 3 if spread is None else (spread.median, spread.p95, spread.largest)
    return ''.join(f'<td>{"–" if v is None else _ms(v)}</td>' for v in values)


def _latency(t: 'TopicReport') -> str:
    return '–' if t.latency is None else f'{_ms(t.latency.median)}, {_ms(t.latency.p95)}'


def _ms(seconds: float) -> str:
    return f'{seconds * 1e3:.1f}'


def _number(value: float | None, form: str) -> str:
    if value is None:
        digits = form.split('.')[0].rstrip('df')
        return f'{"–":>{digits}}' if digits else '–'
    return f'{value:{form}}'


def _alarm(value: int | None) -> str:
    if value is None:
        return '–'
    return f'<span class="bad">{value}</span>' if value else '0'
