"""The reference's golden numbers, cut to what the tests compare.

The whole numbers lie outside the repository, in `shared/data/golden`. `python -m tests.helpers.golden_files FOLDER`
cuts the files in FOLDER and writes `tests/golden`, whose SOURCE.md says what was cut.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dabs.check.mock import KINDS
from dabs.specs import Specs, Tokens, total_embeddings
from tests.helpers.places import GOLDEN

Arrays = dict[str, np.ndarray]

EXAMPLES = 2  # of six: in the arrays with one row per token
GRADIENT_STRIDE = 12  # of the gradients of larger parameters, every twelfth number
SMALL_GRADIENT = 64

FILES = (
    *(f"{part}_{kind}" for part in ("encoder", "emix", "shed", "capri") for kind in KINDS),
    *(f"mae_{kind}" for kind in KINDS if kind != "series"),  # the reference has none of it
    "logmel",
)
SEEDS = {"shed": 2, "mae": 4, "capri": 6}  # of the weights that the reference started from in these files
WIDTH, HIDDEN, PROJECTION, BLOCKS = 32, 64, 16, 2  # of the reference's encoder
PER_TOKEN = {"embedded", "tokens", "permuted"}

# Of the waveforms, the samples under the compared frames are kept, and the others are zero. Kept of the short one: its
# first second and its end. Of the long one: its beginning, what lies under its maximum, which sets the floor, and the
# last frames with the samples after them, which must be cut off.
HOP, MARGIN, WINDOW_END = 672, 1024, 150_526
PIECES = {
    "": ((0, 16_000), (67 * HOP - MARGIN, 48_000)),
    "long_": (
        (0, 7 * HOP + MARGIN),
        (142 * HOP - MARGIN, 146 * HOP + MARGIN),
        (212 * HOP - MARGIN, WINDOW_END + 2 * MARGIN),
    ),
}
FRAMES = {"": (*range(23), *range(67, 224)), "long_": (*range(8), *range(142, 147), *range(212, 224))}


def drawn_weights(part: str, specs: Specs) -> Arrays:
    """Return the weights of a file whose reference was not trained: PyTorch's default ones, drawn from a known seed.

    The order is that in which the reference makes its modules, whose names are the keys.
    """
    torch.manual_seed(SEEDS[part])
    found: dict[str, torch.Tensor] = {}

    def add(name: str, module: nn.Module) -> None:
        found.update({f"{name}.{key}": value for key, value in module.state_dict().items()})

    for i, spec in enumerate(specs):
        if isinstance(spec, Tokens):
            add(f"model.embed_modules.{i}.embed", nn.Embedding(spec.vocabulary, WIDTH))
        else:
            add(f"model.embed_modules.{i}.embed.1", nn.Linear(spec.patch_size, WIDTH))
    found["model.pos_embedding"] = torch.randn(1, 1 + total_embeddings(specs), WIDTH)
    found["model.cls_token"] = torch.randn(1, 1, WIDTH)
    for i in range(BLOCKS):
        place = f"model.transformer.layers.{i}"
        add(f"{place}.0.fn.to_qkv", nn.Linear(WIDTH, 3 * WIDTH, bias=False))
        add(f"{place}.0.fn.to_out.0", nn.Linear(WIDTH, WIDTH))
        add(f"{place}.1.fn.net.0", nn.Linear(WIDTH, HIDDEN))
        add(f"{place}.1.fn.net.3", nn.Linear(HIDDEN, WIDTH))
        add(f"{place}.0.norm", nn.LayerNorm(WIDTH))
        add(f"{place}.1.norm", nn.LayerNorm(WIDTH))
    add("model.mlp_head.0", nn.LayerNorm(WIDTH))
    add("model.mlp_head.1", nn.Linear(WIDTH, PROJECTION))
    if part != "mae":
        add("predictor", nn.Linear(WIDTH, {"shed": 2, "capri": WIDTH}[part]))
    elif not isinstance(specs[0], Tokens):
        add("predictor.1", nn.Linear(WIDTH, specs[0].patch_size))
    return {f"weight/{name}": value.numpy() for name, value in found.items()}


def sample_gradient(gradient: np.ndarray) -> np.ndarray:
    """Return the numbers of a parameter's gradient that the small files hold, in one dimension."""
    flat = gradient.reshape(-1)
    return flat if flat.size <= SMALL_GRADIENT else flat[::GRADIENT_STRIDE]


def cut(name: str, whole: Arrays) -> Arrays:
    """Return what the tests compare of the whole file `name`, as `read_golden` returns it."""
    if name == "logmel":
        return _cut_spectrograms(whole)
    small = {}
    for key, value in whole.items():
        if key.startswith("grad/"):
            small[key] = sample_gradient(value)
        else:
            small[key] = value[:EXAMPLES] if key in PER_TOKEN else value
    return small


def _cut_spectrograms(whole: Arrays) -> Arrays:
    small = {}
    for prefix, pieces in PIECES.items():
        waveform = np.zeros(pieces[-1][1], np.float32)
        for start, end in pieces:
            waveform[start:end] = whole[f"{prefix}waveform"][start:end]
        frames = np.array(FRAMES[prefix])
        small |= {
            f"{prefix}waveform": waveform,
            f"{prefix}frames": frames,
            f"{prefix}log_mel_db": whole[f"{prefix}log_mel_db"][:, frames],
        }
    return small


def read_golden(name: str) -> Arrays:
    """Return the arrays of `tests/golden/NAME.npz` under the names of the whole file.

    e-Mix was recorded with the encoder's weights and inputs, which only the encoder's file holds. The weights of other
    losses are drawn again. Weights and gradients are packed, because an entry of an archive takes 300 bytes of its own.
    """
    small, (part, _, kind) = _read(name), name.partition("_")
    if part in SEEDS:
        small |= drawn_weights(part, KINDS[kind])
        total = _total_of_weights(small)
        assert abs(total - small.pop("total_of_weights")) < 1e-3, f"this PyTorch draws other weights for {name}"
    if name == "logmel":
        for prefix, pieces in PIECES.items():
            kept, waveform = small.pop(f"{prefix}pieces"), np.zeros(pieces[-1][1], np.float32)
            for start, end in pieces:
                waveform[start:end], kept = kept[: end - start], kept[end - start :]
            small[f"{prefix}waveform"] = waveform
    if name.startswith("emix_"):
        encoder = read_golden(name.replace("emix", "encoder"))
        small |= {key: value for key, value in encoder.items() if key.startswith(("weight/", "input/"))}
    return small


def write_golden(name: str, whole: Arrays, folder: Path = GOLDEN) -> None:
    """Write the small form of the whole file `name` to `folder`."""
    small = cut(name, whole)
    if name == "logmel":
        for prefix, pieces in PIECES.items():
            waveform = small.pop(f"{prefix}waveform")
            small[f"{prefix}pieces"] = np.concatenate([waveform[start:end] for start, end in pieces])
    if name.startswith("emix_"):
        small = {key: value for key, value in small.items() if not key.startswith(("weight/", "input/"))}
    if name.partition("_")[0] in SEEDS:
        total = _total_of_weights(small)
        small = {key: value for key, value in small.items() if not key.startswith("weight/")}
        small["total_of_weights"] = np.array(total)
    for group in ("weight", "grad"):
        packed = {key: small.pop(key) for key in sorted(small) if key.startswith(f"{group}/")}
        if packed:
            small[group] = np.concatenate([value.reshape(-1) for value in packed.values()])
            small[f"{group}_shapes"] = np.array(json.dumps({key: value.shape for key, value in packed.items()}))
    np.savez_compressed(folder / f"{name}.npz", **small)


def _total_of_weights(arrays: Arrays) -> float:
    return sum(float(np.abs(value.astype(np.float64)).sum()) for key, value in arrays.items() if "weight/" in key)


def _read(name: str) -> Arrays:
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    for group in ("weight", "grad"):
        if group in arrays:
            flat, shapes = arrays.pop(group), json.loads(str(arrays.pop(f"{group}_shapes")))
            ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
            parts = np.split(flat, ends[:-1])
            arrays |= {key: part.reshape(shape) for (key, shape), part in zip(shapes.items(), parts, strict=True)}
    return arrays


if __name__ == "__main__":
    for one in FILES:
        with np.load(Path(sys.argv[1]) / f"{one}.npz", allow_pickle=False) as archive:
            write_golden(one, dict(archive))
