#!/usr/bin/env python3
"""Figures for docs/internals/performance.md, of JSON lines as aimeter-bench prints them.

figures.py table FILE   puts the newest figure of each name into the table of performance.md
figures.py plot FILE    draws performance-callers.svg and performance-rows.svg of a sweep
"""
import json
import math
import pathlib
import sys

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs" / "internals"
WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 640, 210, 70, 20, 34, 46
COLOURS = {"calls_per_second": "#1b6ca8", "p50_ms": "#2a9d5c", "p99_ms": "#c8553d"}
LABELS = {"calls_per_second": "calls a second", "p50_ms": "p50, ms", "p99_ms": "p99, ms"}


def short(value):
    if value >= 1e6:
        return f"{value / 1e6:.3g}M"
    if value >= 1e3:
        return f"{value / 1e3:.3g}k"
    return f"{value:g}"


def nice_ticks(most):
    step = 10 ** math.floor(math.log10(most))
    for factor in (0.2, 0.25, 0.5, 1):
        if most / (step * factor) <= 6:
            step *= factor
            break
    return [step * i for i in range(math.ceil(most / step) + 1)]


class Panel:
    """Lines of some series over the same places of x."""

    def __init__(self, top, points, names, x_of, ticks):
        self.top, self.points, self.names, self.x_of = top, points, names, x_of
        self.ticks = nice_ticks(max(p[n] for p in points for n in names))
        self.x_ticks = ticks

    def y_of(self, value):
        return self.top + PANEL * (1 - value / self.ticks[-1])

    def svg(self):
        parts = []
        for tick in self.ticks:
            y = self.y_of(tick)
            parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
            parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{short(tick)}</text>')
        for at in self.x_ticks:
            parts.append(
                f'<text x="{self.x_of(at):.1f}" y="{self.top + PANEL + 18}" '
                f'text-anchor="middle">{short(at)}</text>')
        for number, name in enumerate(self.names):
            dots = [(self.x_of(p["x"]), self.y_of(p[name])) for p in self.points]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in dots)
            colour = COLOURS[name]
            parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in dots]
            parts.append(
                f'<text x="{LEFT + 110 * number}" y="{self.top - 8}" style="fill:{colour}">'
                f'{LABELS[name]}</text>')
        return parts


def draw(name, points, title, logarithmic):
    points = sorted(points, key=lambda p: p["x"])
    place = (lambda x: math.log2(x)) if logarithmic else (lambda x: x)
    low, high = place(points[0]["x"]), place(points[-1]["x"])
    span = (high - low) or 1
    x_of = lambda x: LEFT + 12 + (WIDTH - RIGHT - LEFT - 24) * (place(x) - low) / span
    ticks = [p["x"] for p in points]
    panels = [
        Panel(TOP + 20, points, ["calls_per_second"], x_of, ticks),
        Panel(TOP + 20 + PANEL + GAP, points, ["p50_ms", "p99_ms"], x_of, ticks),
    ]
    height = TOP + 20 + 2 * PANEL + GAP + 64
    where = points[-1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
        "<style>.grid{stroke:#d8d8d8}text{fill:#333}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{title}</text>',
    ]
    for panel in panels:
        parts += panel.svg()
    parts.append(
        f'<text x="{LEFT}" y="{height - 12}" font-size="10">{where["machine"]}, '
        f'{where["date"][:10]}, {where["commit"]}</text>')
    path = DOCS / name
    path.write_text("\n".join(parts) + "\n</svg>\n")
    print(path)


def plot(lines):
    for sweep, name, title, logarithmic in (
            ("callers", "performance-callers.svg", "Durable calls by number of callers", True),
            ("rows", "performance-rows.svg", "Durable calls by rows in the file", False)):
        points = [dict(line, x=line[sweep]) for line in lines if line.get("sweep") == sweep]
        if points:
            draw(name, points, title, logarithmic)


def cell(figure):
    further = [f"{key} {figure[key]:g}" for key in
               ("p50_ms", "p99_ms", "p99_9_ms", "longest_ms", "cpu_us", "behind_s",
                "memory_growth", "bytes_per_idle_account", "bytes_per_account_in_use",
                "all_in_one_month_ms") if key in figure]
    verdict = "invalid" if "invalid" in figure else "yes" if figure["met"] else "no"
    return (f'| `{figure["name"]}` | {figure["ours"]:,.4g} | {figure["baseline_value"]:,.4g} '
            f'| {figure["ratio"]:.2f} | {figure["must"]} | {verdict} | {", ".join(further)} |')


def table(lines):
    page = DOCS / "performance.md"
    newest = {line["name"]: line for line in lines if "name" in line}
    rows = []
    for row in page.read_text().split("\n"):
        name = row.split("`")[1] if row.startswith("| `") and row.count("|") == 8 else None
        rows.append(cell(newest[name]) if name in newest else row)
    text = "\n".join(rows)
    if newest:
        last = max(newest.values(), key=lambda line: line["date"])
        start = text.index("Measured:")
        end = text.index("\n", start)
        text = (text[:start] + f'Measured: {last["machine"]}, {last["date"][:10]}, '
                f'commit {last["commit"]}.' + text[end:])
    page.write_text(text)
    print(page)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("table", "plot"):
        sys.exit(__doc__)
    lines = [json.loads(line) for line in open(sys.argv[2]) if line.startswith("{")]
    {"table": table, "plot": plot}[sys.argv[1]](lines)


if __name__ == "__main__":
    main()
