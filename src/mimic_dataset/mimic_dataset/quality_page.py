"""The quality of episodes as one HTML page: a timeline and thumbnails for each."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

import numpy as np

from mimic_dataset.errors import WriteError
from mimic_dataset.quality import Finding, Quality, drop_reasons, verdict
from mimic_recording.bag import write_text
from mimic_recording.report_page import document

PAGE: Final = 'quality.html'
WIDTH, ROW, LABEL, MARGIN = 720, 16, 150, 24  # [px]
CURVE: Final = 40  # [px] height of the speed

_STYLE: Final = """<style>
.strip { display: flex; gap: 3px; flex-wrap: wrap; margin: .4rem 0; }
.strip figure { margin: 0; font-size: 11px; opacity: .9; } .strip img { display: block; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
svg .speed { fill: none; stroke: var(--good); stroke-width: 1.2; }
svg .base { fill: var(--line); } svg .warn { fill: #d9a21b; }
.keep { color: #2c8a3d; font-weight: 600; } .warn { color: #a8760a; }
section { border-top: 1px solid var(--line); padding-top: .6rem; margin-top: 1.2rem; }
</style>"""
_CLASSES: Final = {'drop': 'bad', 'keep': 'keep', 'not checked': 'warn'}


def write_pages(found: Sequence[Quality], folder: Path) -> Path:
    """Write the page; return its file.

    Raises:
        WriteError: It cannot be written.
    """
    path = folder / PAGE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, page(found))
    except OSError as error:
        raise WriteError(f'{path}: cannot be written: {error}') from error
    return path


def page(found: Sequence[Quality]) -> str:
    """Return the HTML."""
    dropped = [q for q in found if drop_reasons(q)]
    total = sum(q.duration for q in found)
    rows = ''.join(
        f'<tr><td><a href="#e{i}">{escape(q.name)}</a></td><td>{q.domain}</td>'
        f'<td>{q.duration:.1f}</td><td>{len(q.findings)}</td><td>{_verdict(q)}</td></tr>'
        for i, q in enumerate(found)
    )
    body = ''.join(_section(i, q) for i, q in enumerate(found))
    return document(
        'Quality of episodes',
        f"""{_STYLE}<h1>Quality of {len(found)} episodes</h1>
<p class="sub">{total:.0f} s in all; {len(dropped)} to drop</p>
<div class="wide"><table><tr><th>episode</th><th>domain</th><th>length s</th><th>findings</th>
<th>verdict</th></tr>{rows}</table></div>{body}""",
    )


def _verdict(quality: Quality) -> str:
    text = verdict(quality)
    return f'<span class="{_CLASSES[text]}">{text}</span>'


def _section(number: int, quality: Quality) -> str:
    items = ''.join(
        f'<li class="{"bad" if f.drop else "warn"}">{escape(str(f))}</li>'
        for f in quality.findings
    )
    strip = ''.join(
        f'<figure><img alt="at {time:.1f} s" src="data:image/jpeg;base64,{jpeg}">'
        f'{time:.1f} s</figure>'
        for time, jpeg in quality.thumbnails
    )
    return (
        f'<section id="e{number}"><h2>{escape(quality.name)} · {quality.domain} · '
        f'{quality.duration:.1f} s · {_verdict(quality)}</h2>'
        f'<p class="sub">{escape(quality.path)}</p><div class="strip">{strip}</div>'
        f'<div class="wide">{timeline(quality)}</div>'
        f'<ul>{items or "<li>nothing to object to</li>"}</ul></section>'
    )


def timeline(quality: Quality) -> str:
    """Return a picture of streams over time: where silent, frozen or idle; and the speed."""
    if quality.duration <= 0.0:
        return ''
    scale = (WIDTH - LABEL) / quality.duration
    names = list(quality.streams)
    names += sorted({f.stream for f in quality.findings if f.end > f.begin} - set(names))
    parts = []
    for i, name in enumerate(names):
        y = i * ROW
        parts.append(f'<text x="0" y="{y + 11}">{escape(_shortened(name))}</text>')
        times = quality.streams.get(name)
        if times is not None and len(times):
            parts.append(_bar(float(times[0]), float(times[-1]), y, scale, 'base'))
        for finding in quality.findings:
            if finding.stream == name and finding.end > finding.begin:
                kind = 'none' if finding.drop else 'warn'
                parts.append(_bar(finding.begin, finding.end, y, scale, kind, finding))
    top = len(names) * ROW + 4
    parts.append(_speed(quality, top, scale))
    for second in _ticks(quality.duration):
        x = LABEL + second * scale
        parts.append(f'<text x="{x:.1f}" y="{top + CURVE + 14}">{second:g} s</text>')
    height = top + CURVE + 18
    return (
        f'<svg width="{WIDTH + MARGIN}" height="{height}" '
        f'viewBox="0 0 {WIDTH + MARGIN} {height}" role="img" '
        f'aria-label="timeline of {escape(quality.name)}">{"".join(parts)}</svg>'
    )


def _shortened(name: str) -> str:
    return name.replace('/color/image_raw', '').replace('/joint_trajectory', '')[-24:]


def _bar(
    begin: float, end: float, y: int, scale: float, kind: str, finding: Finding | None = None
) -> str:
    title = '' if finding is None else f'<title>{escape(str(finding))}</title>'
    return (
        f'<rect class="{kind}" x="{LABEL + begin * scale:.1f}" y="{y + 3}" '
        f'width="{max((end - begin) * scale, 2.0):.1f}" height="{ROW - 6}">{title}</rect>'
    )


def _speed(quality: Quality, top: int, scale: float) -> str:
    if len(quality.motion) < 2:
        return f'<text x="0" y="{top + 12}">speed unknown</text>'
    fastest = max(float(quality.motion[:, 1].max()), 1e-6)
    points = ' '.join(
        f'{LABEL + t * scale:.1f},{top + CURVE * (1.0 - v / fastest):.1f}'
        for t, v in quality.motion
    )
    return (
        f'<text x="0" y="{top + 12}">palm, up to {fastest:.2f} m/s</text>'
        f'<polyline class="speed" points="{points}"/>'
    )


def _ticks(duration: float) -> list[float]:
    step = next((s for s in (0.5, 1, 2, 5, 10, 20, 60, 120, 300) if duration / s <= 10), 600)
    return [float(t) for t in np.arange(0.0, duration, step)]
