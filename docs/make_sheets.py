"""Draw a sheet of examples for each domain, docs/sheets/NAME.png.

    python docs/make_sheets.py [--out FOLDER] [NAME ...]        without names, all lite domains

The examples come from the prepared data. Look at the sheet of a new domain before trusting a number from it. The script
needs matplotlib (the extra `dev`) and, for Chinese, Japanese and Korean text, a font with their characters (Debian:
fonts-noto-cjk).
"""

from __future__ import annotations

import argparse
import io
import logging
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dabs.config import SUITES
from dabs.data.domain import TRAIN, Classes, Domain, MultiLabel, Task
from dabs.data.prepared import folder_of, open_prepared
from dabs.errors import DabsError
from dabs.registry import domain_names, find_domain
from dabs.specs import Image, Series, Tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

MAX_BYTES = 400_000  # of one sheet
DPI = 100
COLUMNS, EXAMPLES = 10, 30  # panels in a row and per task
LINES = 12  # texts per task
FONTS = ("NotoSansCJK-Regular", "NotoSerifCJK-Regular", "SourceHanSans", "wqy-", "DroidSansFallback")  # file names
CJK = (("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\uac00", "\ud7af"))


def needs_cjk(texts: list[str]) -> bool:
    """Return whether any text has Chinese, Japanese or Korean characters."""
    return any(low <= character <= high for text in texts for character in text for low, high in CJK)


def use_cjk_font() -> None:
    """Let matplotlib fall back to an installed font with Chinese, Japanese and Korean characters.

    Raises:
        DabsError: there is no such font.
    """
    import matplotlib
    from matplotlib import font_manager

    # matplotlib's own list of fonts is a cache and misses those installed since
    files = sorted(path for path in font_manager.findSystemFonts() if Path(path).name.startswith(FONTS))
    if not files:
        raise DabsError(
            "no installed font has Chinese, Japanese and Korean characters. Install one (Debian: "
            "`apt-get install fonts-noto-cjk`) and run this again."
        )
    font_manager.fontManager.addfont(files[0])
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # about the missing bold face
    name = font_manager.FontProperties(fname=files[0]).get_name()
    matplotlib.rcParams["font.family"] = ["DejaVu Sans", name]


def label_text(task: Task, label: Any) -> str:
    """Return a label in words: the class, the findings present, or the number."""
    if isinstance(task.target, Classes):
        return task.target.names[int(label)]
    if isinstance(task.target, MultiLabel):
        return ", ".join(name for name, on in zip(task.target.names, label, strict=True) if on) or "none"
    return f"{float(label):.2f}"


def choose_rows(task: Task, label: np.ndarray, count: int) -> np.ndarray:
    """Return the row numbers of `count` examples, the same every time.

    Classes are equally frequent, and scores cover their whole range.
    """
    shuffled = np.random.default_rng(0).permutation(len(label))  # neighbouring rows are often similar
    if isinstance(task.target, MultiLabel):
        return shuffled[:count]
    order = shuffled[np.argsort(label[shuffled], kind="stable")]
    if not isinstance(task.target, Classes):
        return np.asarray(order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)])
    classes, first = np.unique(label[order], return_index=True)
    turn = (
        np.arange(len(order)) - first[np.searchsorted(classes, label[order])]
    )  # how many rows of its class come before each
    chosen = order[np.sort(np.argsort(turn, kind="stable")[:count])]
    return np.asarray(chosen)


def texts_of(domain: Domain, ids: np.ndarray, pad: int) -> list[str]:
    """Turn token ids, (n, length), back into text without padding, with the domain's own `tokenizer.json`.

    Raises:
        DabsError: the domain has no tokenizer.
    """
    from tokenizers import Tokenizer

    path = folder_of(domain) / "tokenizer.json"
    if not path.exists():
        raise DabsError(f"{domain.name} has no {path}, so its tokens cannot be shown as text.")
    tokenizer = Tokenizer.from_file(str(path))
    rows = [[int(i) for i in row if i != pad] for row in ids]
    return [tokenizer.decode(row, skip_special_tokens=False).replace("$", r"\$") for row in rows]


def draw_picture(axes: Axes, value: np.ndarray) -> None:
    """Draw an image, (channels, height, width); floats are stretched to their own range."""
    picture = value.transpose(1, 2, 0)
    if picture.dtype != np.uint8:
        picture = picture.astype(np.float32)
        picture = (picture - picture.min()) / max(float(np.ptp(picture)), 1e-6)
    if picture.shape[2] == 3:
        axes.imshow(picture, interpolation="nearest")
    else:
        axes.imshow(picture[:, :, 0], cmap="gray", interpolation="nearest")


def draw_series(axes: Axes, value: np.ndarray) -> None:
    """Draw a series, (steps, channels), with one line per channel."""
    axes.plot(value.astype(np.float32), linewidth=0.5)
    axes.set_aspect("auto")


def draw_grid(
    figure: SubFigure, draw: Callable[[Axes, np.ndarray], None], values: np.ndarray, titles: list[str], below: list[str]
) -> None:
    """Draw small panels, `COLUMNS` in a row, each with its label above it and its text, if any, below."""
    grid = figure.subplots(-(-len(values) // COLUMNS), COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, value, title, text in zip(grid.flat, values, titles, below or [""] * len(titles), strict=False):
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[])
        draw(axes, value)
        axes.set_title("\n".join(textwrap.wrap(title.replace("_", " "), 18)), fontsize=6, pad=2)
        axes.set_xlabel("\n".join(textwrap.wrap(text, 24)), fontsize=5.5, labelpad=2)


def draw_texts(figure: SubFigure, titles: list[str], texts: list[str]) -> None:
    """Draw texts one under another, each after its label."""
    axes = figure.subplots()
    axes.set_axis_off()
    for i, (title, text) in enumerate(zip(titles, texts, strict=True)):
        y = 1 - (i + 0.5) / len(texts)
        # East Asian characters are twice as wide as others
        wrapped = textwrap.wrap(text, 75 if needs_cjk([text]) else 150, max_lines=2, placeholder=" …")
        axes.text(0, y, title, fontsize=7, weight="bold", va="center", transform=axes.transAxes)
        axes.text(0.15, y, "\n".join(wrapped), fontsize=7, va="center", transform=axes.transAxes)


def draw_task(figure: SubFigure, domain: Domain, task: Task) -> None:
    """Draw the examples of a task: a list of texts, or panels with their text, if any, below."""
    columns = open_prepared(domain, task.name).columns(TRAIN)
    words_only = all(isinstance(spec, Tokens) for spec in domain.specs)
    chosen = choose_rows(task, columns["label"], LINES if words_only else EXAMPLES)
    titles = [label_text(task, columns["label"][i]) for i in chosen]
    texts: list[str] = []
    for k, spec in enumerate(domain.specs):
        if isinstance(spec, Tokens):
            texts = texts_of(domain, columns[f"input_{k}"][chosen], spec.pad)
            if needs_cjk(texts):
                use_cjk_font()
    figure.suptitle(f"{task.name}: {task.question}", fontsize=9, x=0.01, ha="left")
    if words_only:
        return draw_texts(figure, titles, texts)
    k, spec = next((k, s) for k, s in enumerate(domain.specs) if isinstance(s, Image | Series))
    draw = draw_picture if isinstance(spec, Image) else draw_series
    draw_grid(figure, draw, columns[f"input_{k}"][chosen], titles, texts)


def draw_sheet(domain: Domain) -> Figure:
    """Return a figure with all tasks of a domain, one under another."""
    from matplotlib.figure import Figure

    words_only = all(isinstance(spec, Tokens) for spec in domain.specs)
    height = 3.6 if words_only else 4.4
    figure = Figure(figsize=(11, height * len(domain.tasks)), dpi=DPI, layout="constrained")
    parts = figure.subfigures(len(domain.tasks), 1, squeeze=False)
    for part, task in zip(parts.flat, domain.tasks, strict=True):
        draw_task(part, domain, task)
    return figure


def save_small(figure: Figure, path: Path) -> int:
    """Write a PNG of at most `MAX_BYTES`, with fewer colours and pixels if necessary, and return its size."""
    from PIL import Image as Picture

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    original = Picture.open(buffer).convert("RGB")
    for colours, scale in [(256, 1.0), (64, 1.0), (32, 1.0), (32, 0.85), (32, 0.7), (16, 0.5)]:
        if len(buffer.getvalue()) <= MAX_BYTES:
            break
        size = (round(original.width * scale), round(original.height * scale))
        smaller = original.resize(size, Picture.Resampling.LANCZOS).quantize(colours, dither=Picture.Dither.NONE)
        buffer = io.BytesIO()
        smaller.save(buffer, format="png", optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return len(buffer.getvalue())


def main() -> None:
    """Draw the sheets named on the command line."""
    parser = argparse.ArgumentParser(description="Draw one sheet of examples for each domain.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="domains; without any, all of the lite suite")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "sheets", help="folder to write to")
    options = parser.parse_args()
    try:
        for name in options.names or domain_names():
            path = options.out / f"{name}.png"
            print(f"{path}: {save_small(draw_sheet(find_domain(name, SUITES[0])), path)} bytes")
    except DabsError as error:
        parser.exit(error.code, f"{error}\n")


if __name__ == "__main__":
    main()
