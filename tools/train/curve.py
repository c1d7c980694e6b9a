"""Draws what train_memory.py wrote beside its checkpoints: the cost of text and of answers by step."""

import argparse
import csv
import math
import pathlib

import cli

PANELS = (("text", "bits per byte of all text,\nfiller among it", 1 / math.log(2)), ("books", "bits per byte of books alone", 1 / math.log(2)),
          ("answer", "nats per digit of a first answer", 1), ("notes", "part of tokens that leave a note", 1),
          ("reads", "part of windows that ask to read", 1))


def read(path):
    """The columns of a curve, as lists of numbers; a column's empty places are left out with their steps."""
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{path}: no rows")
    names = rows[0].keys() - {"step"}
    return {name: [(int(row["step"]), float(row[name])) for row in rows if row[name]] for name in names}


def smooth(points, span):
    """The mean of every span points that follow one another: one for each full span."""
    return [tuple(sum(x) / span for x in zip(*points[i:i + span])) for i in range(0, len(points) - span + 1, span)]


def draw(curves, path):
    """One panel below the other for curves, a dict from names to columns, without those that none has; the name stands at a line's end."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = [panel for panel in PANELS if any(columns.get(panel[0]) for columns in curves.values())]
    figure, panels = pyplot.subplots(len(shown), 1, sharex=True, squeeze=False, figsize=(9, 3 * len(shown)), layout="constrained")
    panels = panels[:, 0]
    for panel, (column, label, scale) in zip(panels, shown):
        for i, (name, columns) in enumerate(curves.items()):
            points = columns.get(column)
            if not points:
                continue
            points = smooth(points, max(1, len(points) // 150))
            steps, values = zip(*points)
            panel.plot(steps, [scale * v for v in values], color=f"C{i}", linewidth=1.2)
            panel.annotate(name, (steps[-1], scale * values[-1]), xytext=(4, 0), textcoords="offset points",
                           color=f"C{i}", va="center", annotation_clip=False)
        panel.set_ylabel(label)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylim(top=min(6, panels[0].get_ylim()[1]))
    answers = panels[[column for column, *_ in shown].index("answer")]
    row = 0  # of the lengths' names: one below the other, for they may follow one another closely
    for i, (name, columns) in enumerate(curves.items()):
        before = None
        for step, length in columns["length"]:
            if before and length != before:
                answers.axvline(step, color=f"C{i}", linewidth=0.8, linestyle=":")
                answers.annotate(f"{length:.0f} tokens", (step, 0.97 - 0.08 * row), xycoords=("data", "axes fraction"),
                                   xytext=(3, 0), textcoords="offset points", color=f"C{i}", fontsize=8, va="top")
                row += 1
            before = length
    panels[-1].set_xlabel("step")
    figure.savefig(path, dpi=110)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("curves", nargs="+", metavar="NAME=FILE.csv", help="the curves, each with the name to write on it")
    parser.add_argument("--out", required=True, help="the .png file to write")
    args = parser.parse_args()
    curves = {}
    for text in args.curves:
        name, equals, path = text.partition("=")
        if not equals:
            raise ValueError(f"{text!r} is not NAME=FILE.csv")
        curves[name] = read(path)
    draw(curves, pathlib.Path(args.out))


if __name__ == "__main__":
    cli.run(main)
