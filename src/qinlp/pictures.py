"""Pictures, by Altair: SVG or PNG, readable in print and by people who see colours otherwise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt
    import numpy as np
    from numpy.typing import NDArray

# Okabe & Ito 2008, "Color universal design": told apart by colour-blind readers and in grey print
BLUE, GREY = "#0072B2", "#8c8c8c"
PALETTE = [BLUE, "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]


def reliability(
    codes: Mapping[str, tuple[NDArray[np.floating[Any]], NDArray[np.bool_]]], *, bins: int = 10
) -> alt.TopLevelMixin:
    """Draw, for each code, how often passages of a stated probability hold it (DeGroot & Fienberg 1983).

    `codes` maps a name to (probabilities, present), both of shape (passages,). A dot stands for the
    passages of one tenth of the scale, the larger the more there are, with the 95% interval
    (Wilson 1927) of their share. On the grey line stated and seen are the same.
    """
    import altair as alt

    rows = [
        {"code": code, **row}
        for code, (p, y) in codes.items()
        for row in _tenths(p.tolist(), y.tolist(), bins)
    ]
    share = alt.Scale(domain=[0, 1])
    base = alt.Chart(alt.InlineData(values=rows))
    even = alt.Chart(alt.InlineData(values=[{"x": 0, "y": 0}, {"x": 1, "y": 1}])).mark_line(color=GREY)
    charts = []
    for code in codes:
        own = base.transform_filter(alt.datum.code == code)
        x = alt.X("stated:Q", title="stated probability", scale=share)
        charts.append(
            alt.layer(
                even.encode(x="x:Q", y="y:Q"),
                own.mark_rule(color=BLUE).encode(
                    x=x, y=alt.Y("low:Q", title="share that holds it"), y2="high:Q"
                ),
                own.mark_circle(color=BLUE, opacity=1).encode(
                    x=x, y=alt.Y("seen:Q", scale=share), size=alt.Size("n:Q", title="passages")
                ),
            ).properties(width=150, height=150, title=code)
        )
    return alt.vconcat(*(alt.hconcat(*charts[i : i + 4]) for i in range(0, len(charts), 4)))


def _tenths(p: Sequence[float], y: Sequence[bool], bins: int) -> list[dict[str, float]]:
    from math import sqrt

    found = []
    for at in range(bins):
        held = [(a, b) for a, b in zip(p, y, strict=True) if min(int(a * bins), bins - 1) == at]
        if n := len(held):
            seen = sum(b for _, b in held) / n
            z = 1.96
            middle = (seen + z * z / (2 * n)) / (1 + z * z / n)
            half = z * sqrt(seen * (1 - seen) / n + z * z / (4 * n * n)) / (1 + z * z / n)
            found.append(
                {
                    "stated": sum(a for a, _ in held) / n, "seen": seen, "n": n,
                    "low": max(0.0, middle - half), "high": min(1.0, middle + half),
                }
            )  # fmt: skip
    return found


def lines(named: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> alt.TopLevelMixin:
    """Draw a line for each name through its (across, up) points, on a logarithmic scale across."""
    import altair as alt

    rows = [{"name": name, "x": x, "y": y} for name, points in named.items() for x, y in points]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("x:Q", title=across, scale=alt.Scale(type="log", nice=False)),
        y=alt.Y("y:Q", title=up, scale=alt.Scale(domain=[0, 1])),
        color=alt.Color("name:N", title=None, sort=list(named), scale=alt.Scale(range=PALETTE)),
    )
    return alt.layer(base.mark_line(), base.mark_point(filled=True, size=60)).properties(
        width=420, height=260
    )


def coverage(
    points: Sequence[Mapping[str, float]], target: float, *, dark: bool = False
) -> alt.TopLevelMixin:
    """Draw the expected error of what nobody looks at against how many passages were reviewed.

    `points` have `reviewed`, `error` and its 95% interval `low` to `high`. The dashed line is `target`.
    """
    import altair as alt

    ink, line = ("#e8e6e1", "#8cc4ec") if dark else ("#1d2126", BLUE)
    x = alt.X("reviewed:Q", title="passages reviewed", scale=alt.Scale(nice=False))
    percent = alt.Axis(format=".0%", tickCount=5)
    highest = max([target, *(point["high"] for point in points)])
    base = alt.Chart(alt.InlineData(values=[dict(point) for point in points])).encode(x=x)
    goal = alt.Chart(alt.InlineData(values=[{"target": target}])).mark_rule(strokeDash=[5, 4], color=ink)
    chart: alt.TopLevelMixin = alt.layer(
        base.mark_area(color=line, opacity=0.25).encode(
            y=alt.Y("low:Q", title="wrong among those nobody looked at", axis=percent,
                    scale=alt.Scale(domain=[0, 1.05 * highest])),
            y2="high:Q",
        ),
        base.mark_line(color=line, strokeWidth=2.5).encode(y="error:Q"),
        goal.encode(y="target:Q"),
    ).properties(width=520, height=240, background="transparent").configure_axis(
        labelColor=ink, titleColor=ink, tickColor=ink, domainColor=ink, gridOpacity=0.25, labelFontSize=12,
        titleFontSize=12, titleFontWeight="normal",
    ).configure_view(stroke=None)  # fmt: skip
    return chart


def svg(chart: alt.TopLevelMixin) -> str:
    """Return a picture as SVG."""
    from io import StringIO

    out = StringIO()
    chart.save(out, format="svg")
    return out.getvalue()


def save(chart: alt.TopLevelMixin, path: Path) -> Path:
    """Write a picture; its suffix says the form, .svg or .png."""
    chart.save(str(path), scale_factor=2 if path.suffix == ".png" else 1)
    return path
