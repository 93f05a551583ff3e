"""Samples of the paper's datasets: made by the tests, or cut from real files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.helpers.paper.layouts import lay_out
from tests.helpers.paper.made_pictures import PICTURES
from tests.helpers.paper.made_series import SERIES
from tests.helpers.paper.made_texts import TEXTS
from tests.helpers.paper.texts import lay_out_text

MAKERS = PICTURES | SERIES | TEXTS
#: The dataset whose text a tiny tokenizer is trained on.
TRAINED_ON = {"bert-base-uncased": "wikitext", "xlm-roberta-base": "mc4"}


@dataclass(frozen=True)
class Samples:
    """The samples of one origin.

    Attributes:
        origin: "made" or "real".
        folder: holds a folder for each dataset; the made ones are written when they are first asked for.
        layouts: where the datasets are laid out as their publishers do, for `--data-dir`.
    """

    origin: str
    folder: Path
    layouts: Path

    def sample(self, name: str) -> Path:
        """Return the folder of a sample."""
        target = self.folder / name
        if self.origin == "made" and not target.exists():
            part = self.folder / f".{name}"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            MAKERS[name](part)
            part.rename(target)
        return target

    def official(self, name: str) -> Path:
        """Return the folder of a dataset, or of a tiny tokenizer, in its publisher's layout."""
        self.sample(TRAINED_ON.get(name, name))
        lay = lay_out_text if name in TEXTS or name in TRAINED_ON else lay_out
        return lay(name, self.folder, self.layouts)
