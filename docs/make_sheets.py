"""Draws one sheet of examples for each domain, docs/sheets/NAME.png, from its prepared data.

    python docs/make_sheets.py [--out FOLDER] [NAME ...]        all lite domains when no name is given

Look at the sheet of a new domain before trusting a number from it. Needs matplotlib (the extra `dev`), and for Chinese,
Japanese and Korean text a font that has it (Debian: fonts-noto-cjk).
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

LARGEST = 400_000  # bytes of one sheet
DPI = 100
COLUMNS, EXAMPLES = 10, 30  # pictures in a row and for each task
LINES = 12  # texts for each task
FONTS = ("NotoSansCJK-Regular", "NotoSerifCJK-Regular", "SourceHanSans", "wqy-", "DroidSansFallback")  # file names
CJK = (("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\uac00", "\ud7af"))


def needs_cjk(texts: list[str]) -> bool:
    """Whether any text has Chinese, Japanese or Korean characters."""
    return any(low <= character <= high for text in texts for character in text for low, high in CJK)


def use_cjk_font() -> None:
    """Let matplotlib fall back to an installed font with Chinese, Japanese and Korean.

    Raises:
        DabsError: there is none.
    """
    import matplotlib
    from matplotlib import font_manager

    # the files are looked up each time: matplotlib's own list is a cache that misses fonts installed since
    files = sorted(path for path in font_manager.findSystemFonts() if Path(path).name.startswith(FONTS))
    if not files:
        raise DabsError(
            "no font here has Chinese, Japanese and Korean characters. Install one (Debian: "
            "`apt-get install fonts-noto-cjk`) and run this again."
        )
    font_manager.fontManager.addfont(files[0])
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # the one file has no bold face
    name = font_manager.FontProperties(fname=files[0]).get_name()
    matplotlib.rcParams["font.family"] = ["DejaVu Sans", name]


def label_text(task: Task, label: Any) -> str:
    """A label in words: the class, the findings present, or the number."""
    if isinstance(task.target, Classes):
        return task.target.names[int(label)]
    if isinstance(task.target, MultiLabel):
        return ", ".join(name for name, on in zip(task.target.names, label, strict=True) if on) or "none"
    return f"{float(label):.2f}"


def choose(task: Task, label: np.ndarray, count: int) -> np.ndarray:
    """Row numbers of `count` examples, always the same: all classes alike, the whole range of a score, or any rows."""
    shuffled = np.random.default_rng(0).permutation(len(label))  # neighbours are often alike
    if isinstance(task.target, MultiLabel):
        return shuffled[:count]
    order = shuffled[np.argsort(label[shuffled], kind="stable")]
    if not isinstance(task.target, Classes):
        return np.asarray(order[np.linspace(0, len(order) - 1, min(count, len(order))).astype(int)])
    classes, first = np.unique(label[order], return_index=True)
    turn = np.arange(len(order)) - first[np.searchsorted(classes, label[order])]  # rows of its class before a row
    chosen = order[np.sort(np.argsort(turn, kind="stable")[:count])]
    return np.asarray(chosen)


def texts_of(domain: Domain, ids: np.ndarray, pad: int) -> list[str]:
    """Token ids, (n, length), back to text with the domain's own `tokenizer.json`; padding is left out.

    Raises:
        DabsError: the domain keeps no tokenizer.
    """
    from tokenizers import Tokenizer

    path = folder_of(domain) / "tokenizer.json"
    if not path.exists():
        raise DabsError(f"{domain.name} keeps no {path}; its tokens cannot be shown as text.")
    tokenizer = Tokenizer.from_file(str(path))
    rows = [[int(i) for i in row if i != pad] for row in ids]
    return [tokenizer.decode(row, skip_special_tokens=False).replace("$", r"\$") for row in rows]


def draw_picture(axes: Axes, value: np.ndarray) -> None:
    """An image, (channels, height, width); floats are stretched to their own range."""
    picture = value.transpose(1, 2, 0)
    if picture.dtype != np.uint8:
        picture = picture.astype(np.float32)
        picture = (picture - picture.min()) / max(float(np.ptp(picture)), 1e-6)
    if picture.shape[2] == 3:
        axes.imshow(picture, interpolation="nearest")
    else:
        axes.imshow(picture[:, :, 0], cmap="gray", interpolation="nearest")


def draw_series(axes: Axes, value: np.ndarray) -> None:
    """A series, (steps, channels): one line a channel."""
    axes.plot(value.astype(np.float32), linewidth=0.5)
    axes.set_aspect("auto")


def draw_grid(
    figure: SubFigure, draw: Callable[[Axes, np.ndarray], None], values: np.ndarray, titles: list[str], below: list[str]
) -> None:
    """Small panels, `COLUMNS` a row, each with its label above and its text, where there is one, below."""
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
    """Texts one under another, the label before each."""
    axes = figure.subplots()
    axes.set_axis_off()
    for i, (title, text) in enumerate(zip(titles, texts, strict=True)):
        y = 1 - (i + 0.5) / len(texts)
        # East Asian characters are twice as wide as the others
        wrapped = textwrap.wrap(text, 75 if needs_cjk([text]) else 150, max_lines=2, placeholder=" …")
        axes.text(0, y, title, fontsize=7, weight="bold", va="center", transform=axes.transAxes)
        axes.text(0.15, y, "\n".join(wrapped), fontsize=7, va="center", transform=axes.transAxes)


def draw_task(figure: SubFigure, domain: Domain, task: Task) -> None:
    """One task's examples: panels, with text below where there are tokens too, or a list of texts."""
    columns = open_prepared(domain, task.name).columns(TRAIN)
    words_only = all(isinstance(spec, Tokens) for spec in domain.specs)
    chosen = choose(task, columns["label"], LINES if words_only else EXAMPLES)
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
    """All tasks of a domain, one under another."""
    from matplotlib.figure import Figure

    words_only = all(isinstance(spec, Tokens) for spec in domain.specs)
    height = 3.6 if words_only else 4.4
    figure = Figure(figsize=(11, height * len(domain.tasks)), dpi=DPI, layout="constrained")
    parts = figure.subfigures(len(domain.tasks), 1, squeeze=False)
    for part, task in zip(parts.flat, domain.tasks, strict=True):
        draw_task(part, domain, task)
    return figure


def save_small(figure: Figure, path: Path) -> int:
    """Write a PNG of at most `LARGEST` bytes, with fewer colours and pixels where need be; gives its size."""
    from PIL import Image as Picture

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    original = Picture.open(buffer).convert("RGB")
    for colours, scale in [(256, 1.0), (64, 1.0), (32, 1.0), (32, 0.85), (32, 0.7), (16, 0.5)]:
        if len(buffer.getvalue()) <= LARGEST:
            break
        size = (round(original.width * scale), round(original.height * scale))
        smaller = original.resize(size, Picture.Resampling.LANCZOS).quantize(colours, dither=Picture.Dither.NONE)
        buffer = io.BytesIO()
        smaller.save(buffer, format="png", optimize=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return len(buffer.getvalue())


def main() -> None:
    """Draw the sheets that the command line names."""
    parser = argparse.ArgumentParser(description="Draw one sheet of examples for each domain.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="domains; all of the lite suite when none is given")
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
