"""SVG pictures that follow the page's colours: paths in a valley, and curves."""

from __future__ import annotations

import functools
import html
import math
from collections.abc import Sequence

from docs.pages import paths, problems

LEVELS = (0.3, 1, 3, 10, 30, 100)


def _screen(x: float, y: float) -> tuple[float, float]:
    return (x - problems.LOW[0]) * paths.UNIT, (problems.HIGH[1] - y) * paths.UNIT


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " ".join(f"{x:.0f},{y:.0f}" for x, y in (_screen(*point) for point in points))


@functools.cache
def contours(problem: problems.Problem) -> str:
    """The function as lines of equal height, and where the algorithm may go."""
    levels = "".join(f'<path d="{_line(problem.contour(level))}z"/>' for level in LEVELS)
    held, (x, y) = "", _screen(0, 0)
    for shape in problem.drawn:
        if len(shape) == 1:
            held += f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{shape[0] * paths.UNIT:.0f}"/>'
        else:
            held += f'<path d="{_line([shape[:2], shape[2:]])}"/>'  # type: ignore[list-item]
    return f'<g class="gc-contours">{levels}</g>' + (f'<g class="gc-held">{held}</g>' if held else "")


SIZE = round((problems.HIGH[0] - problems.LOW[0]) * paths.UNIT)


def path(name: str, kept: dict, small: bool = False) -> str:
    """The path of an algorithm on its problem; a small one for a gallery has no dots."""
    problem = problems.of(name)
    goal, start = _screen(*problem.goal), _screen(*problem.start)
    where = "in a bent valley" if problem.bent else "in a bowl"
    title = html.escape(f"The path of {name} in 100 steps {where}, from the left to the minimum at the right")
    dots = "" if small else f'<path class="gc-dots" d="{kept["d"]}"/>'
    # The dots' marker has a name of its own in each picture: names are the page's.
    marker = f"gc-dot-{name}"
    defs = (
        ""
        if small
        else f'<defs><marker id="{marker}" viewBox="-5 -5 10 10" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse"><circle r="4.5"/></marker></defs>'
    )
    dots = dots.replace("<path ", f'<path style="marker-mid:url(#{marker})" ')
    return (
        f'<svg class="gc-path" viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="{title}">'
        f'<title>{title}</title>{defs}{contours(problem)}<path class="gc-line" d="{kept["d"]}"/>{dots}'
        f'<circle class="gc-start" cx="{start[0]:.0f}" cy="{start[1]:.0f}" r="9"/>'
        f'<path class="gc-goal" d="M{goal[0]:.0f},{goal[1] - 14:.0f}v28m-14,-14h28"/></svg>'
    )


def curve(
    title: str, across: str, up: str, lines: Sequence[tuple[str, Sequence[float], Sequence[float]]]
) -> str:
    """Lines over one axis, each with its name: an SVG with axes and numbers."""
    wide, high, left, bottom = 640, 280, 70, 44
    xs = [x for _, points, _ in lines for x in points]
    ys = [y for _, _, values in lines for y in values if math.isfinite(y)]
    low_x, high_x, low_y, high_y = min(xs), max(xs), min([0.0, *ys]), max(ys)
    span_x, span_y = high_x - low_x or 1, high_y - low_y or 1

    def at(x: float, y: float) -> str:
        right = left + (x - low_x) / span_x * (wide - left - 16)
        return f"{right:.1f},{12 + (high_y - y) / span_y * (high - bottom - 12):.1f}"

    parts = [
        f'<svg class="gc-curve" viewBox="0 0 {wide} {high}" role="img" aria-label="{html.escape(title)}">'
    ]
    parts.append(f"<title>{html.escape(title)}</title>")
    for i in range(5):
        y, x = low_y + span_y * i / 4, low_x + span_x * i / 4
        parts.append(f'<path class="gc-grid" d="M{at(low_x, y)} {at(high_x, y)}"/>')
        place = at(low_x, y).split(",")
        parts.append(f'<text x="{left - 8}" y="{float(place[1]) + 5:.1f}" text-anchor="end">{y:.3g}</text>')
        place = at(x, low_y).split(",")
        parts.append(f'<text x="{place[0]}" y="{high - bottom + 20}" text-anchor="middle">{x:.4g}</text>')
    for i, (_, points, values) in enumerate(lines):
        shown = " ".join(at(x, y) for x, y in zip(points, values, strict=True) if math.isfinite(y))
        parts.append(f'<path class="gc-line gc-line-{i}" d="M{shown}"/>')
    for i, (label, *_) in enumerate(lines):
        if label:
            where = f'x="{(wide + left) / 2}" y="{30 + 18 * i}" text-anchor="middle"'
            parts.append(f'<text class="gc-label-{i}" {where}>{html.escape(label)}</text>')
    parts.append(
        f'<text x="{(wide + left) / 2}" y="{high - 6}" text-anchor="middle">{html.escape(across)}</text>'
    )
    middle = (high - bottom) / 2
    turned = f'x="16" y="{middle}" text-anchor="middle" transform="rotate(-90 16 {middle})"'
    parts.append(f"<text {turned}>{html.escape(up)}</text></svg>")
    return "".join(parts)
