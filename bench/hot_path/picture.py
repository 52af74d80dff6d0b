"""The ratios as bars, one panel for each part."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
# The same run gives the same file.
mpl.rcParams["svg.hashsalt"] = "hot-path"

from matplotlib import pyplot as plt  # noqa: E402 - after the backend is chosen


def draw(ratios: Mapping[str, Mapping[str, float]], path: Path) -> None:
    """Draws each design's time to the act, divided by that of its naive handler."""
    figure, panels = plt.subplots(
        len(ratios),
        1,
        figsize=(8, 1.2 + sum(0.5 + 0.28 * len(each) for each in ratios.values())),
        gridspec_kw={"height_ratios": [len(each) + 1 for each in ratios.values()]},
        squeeze=False,
    )
    for (title, designs), panel in zip(ratios.items(), panels[:, 0], strict=True):
        names = list(designs)[::-1]
        colours = ["tab:blue" if name.startswith("ours") else "0.75" for name in names]
        bars = panel.barh(names, [designs[name] for name in names], color=colours)
        panel.bar_label(bars, fmt="%.2f", padding=3, fontsize=8)
        panel.axvline(1.0, color="0.4", linewidth=1)
        panel.set_title(title, fontsize=9, loc="left")
        panel.tick_params(labelsize=8)
        panel.margins(x=0.12)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
