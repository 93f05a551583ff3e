"""Load the reference implementation's parameters into our encoder."""

from __future__ import annotations

import numpy as np
import torch

from dabs.encoder import Encoder, EncoderConfig
from dabs.specs import Specs
from tests.helpers.golden_files import sample_gradient

CONFIG = EncoderConfig(width=32, depth=2, heads=4, head_width=8, mlp=64, projection=16, dropout=0.0)


def our_name(theirs: str) -> str:
    """Return our name of a parameter, such as `blocks.0.down.weight` for `transformer.layers.0.1.fn.net.3.weight`."""
    name = theirs.removeprefix("model.")
    simple = {"pos_embedding": "positions", "cls_token": "cls", "mlp_head.": "project."}
    simple |= {"predictor.1.": "heads.0.", "predictor.": "head."}
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


def weights_of(arrays: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """Return the recorded weights under our names and in our shapes."""
    out = {}
    for name, value in _renamed(arrays, "weight").items():
        out[name] = value.reshape(value.shape[1:]) if name == "positions" else value
        out[name] = value.reshape(-1) if name == "cls" else out[name]
    return out


def assert_gradients(parameters: dict[str, torch.nn.Parameter], arrays: dict[str, np.ndarray]) -> None:
    """Compare the gradients of our parameters with the recorded ones, of which the golden files hold a sample."""
    expected = _renamed(arrays, "grad")
    assert expected
    for name, gradient in expected.items():
        found = parameters[name].grad
        whole = np.zeros(parameters[name].shape, np.float32) if found is None else found.numpy()
        sampled = torch.from_numpy(sample_gradient(whole).copy())
        torch.testing.assert_close(sampled, gradient, atol=1e-5, rtol=1e-3, msg=lambda m, n=name: f"{n}: {m}")


def _renamed(arrays: dict[str, np.ndarray], group: str) -> dict[str, torch.Tensor]:
    """Return all `group/*` arrays under our names."""
    found = (key for key in arrays if key.startswith(f"{group}/"))
    return {our_name(key.removeprefix(f"{group}/")): torch.from_numpy(arrays[key]) for key in found}


def golden_encoder(arrays: dict[str, np.ndarray], specs: Specs) -> tuple[Encoder, dict[str, torch.Tensor]]:
    """Return our encoder with the reference's weights, and the weights of the algorithm's own head."""
    weights = weights_of(arrays)
    head = {name: weights.pop(name) for name in list(weights) if name.startswith(("head.", "heads."))}
    encoder = Encoder(CONFIG, specs)
    encoder.load_state_dict(weights, strict=True)
    return encoder.eval(), head


def golden_inputs(arrays: dict[str, np.ndarray], specs: Specs) -> tuple[torch.Tensor, ...]:
    """Return the recorded inputs, one per spec."""
    return tuple(torch.from_numpy(arrays[f"input/{i}"]) for i in range(len(specs)))
