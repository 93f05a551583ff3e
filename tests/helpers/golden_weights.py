"""Load the reference implementation's parameters into our encoder."""

from __future__ import annotations

import numpy as np
import torch

from dabs.encoder import Encoder, EncoderConfig
from dabs.specs import Specs

CONFIG = EncoderConfig(width=32, depth=2, heads=4, head_width=8, mlp=64, projection=16, dropout=0.0)


def our_name(theirs: str) -> str:
    """Return our name of a parameter, such as `blocks.0.down.weight` for `transformer.layers.0.1.fn.net.3.weight`."""
    name = theirs.removeprefix("model.")
    simple = {"pos_embedding": "positions", "cls_token": "cls", "predictor.": "head.", "mlp_head.": "project."}
    for old, new in simple.items():
        name = name.replace(old, new) if name.startswith(old) else name
    if name.startswith("embed_modules."):
        _, i, rest = name.split(".", 2)
        return (
            f"embeddings.{i}."
            + {"embed.1.": "linear.", "embed.": ""}[rest[: rest.rindex(".") + 1]]
            + rest.split(".")[-1]
        )
    if name.startswith("transformer.layers."):
        _, _, block, part, *rest = name.split(".")
        parts = {
            ("0", "norm"): "norm1",
            ("1", "norm"): "norm2",
            ("0", "fn.to_qkv"): "attention.qkv",
            ("0", "fn.to_out.0"): "attention.out",
            ("1", "fn.net.0"): "up",
            ("1", "fn.net.3"): "down",
        }
        return f"blocks.{block}.{parts[part, '.'.join(rest[:-1])]}.{rest[-1]}"
    return name


def parameters_of(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, torch.Tensor]:
    """Return all `prefix/*` arrays under our names and in our shapes."""
    out = {}
    for key, value in arrays.items():
        if key.startswith(prefix + "/"):
            name = our_name(key.removeprefix(prefix + "/"))
            tensor = torch.from_numpy(value)
            out[name] = tensor.reshape(tensor.shape[1:]) if name == "positions" else tensor
            out[name] = tensor.reshape(-1) if name == "cls" else out[name]
    return out


def golden_encoder(arrays: dict[str, np.ndarray], specs: Specs) -> tuple[Encoder, dict[str, torch.Tensor]]:
    """Return our encoder with the reference's weights, and the weights of the algorithm's own head."""
    weights = parameters_of(arrays, "weight")
    head = {name: weights.pop(name) for name in list(weights) if name.startswith("head.")}
    encoder = Encoder(CONFIG, specs)
    encoder.load_state_dict(weights, strict=True)
    return encoder.eval(), head


def golden_inputs(arrays: dict[str, np.ndarray], specs: Specs) -> tuple[torch.Tensor, ...]:
    """Return the recorded inputs, one per spec."""
    return tuple(torch.from_numpy(arrays[f"input/{i}"]) for i in range(len(specs)))
