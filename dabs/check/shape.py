"""Is the encoder left as it is: the same weights at the start, the same parameters and code at the end."""

from __future__ import annotations

import types
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import dabs.encoder
from dabs.check.mock import TINY, Broken, Case, Subject, optimizer_of
from dabs.encoder import Encoder
from dabs.training.step import Objective, seed_all


def encoder_unchanged(subject: Subject, case: Case) -> None:
    """Building and training change no parameter's name or shape, no module, no method, no hook of the encoder."""
    seed_all(0, -1)
    encoder = Encoder(TINY, case.specs)
    before, weights = _portrait(encoder), _weights(encoder)
    algorithm = subject.algorithm(encoder)
    _compare(subject, before, _portrait(encoder), "__init__")
    _same_weights(subject, encoder, weights, "__init__")
    if any(module is encoder for module in algorithm.modules()):
        raise Broken("it keeps the encoder as its own module; `loss` is given it", subject.place("__init__"))
    objective = Objective(encoder, algorithm)
    subject.loss(objective, case.batch(padded=True))
    _same_weights(subject, encoder, weights, "loss")
    if algorithm.trains:
        subject.steps(objective, optimizer_of(objective), case.batch(), 0, 2)
    _compare(subject, before, _portrait(encoder), "loss")


def _weights(encoder: Encoder) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in encoder.state_dict().items()}


def _same_weights(subject: Subject, encoder: Encoder, before: dict[str, torch.Tensor], method: str) -> None:
    for name, value in encoder.state_dict().items():
        if not torch.equal(value, before[name]):
            raise Broken(
                f"{method} changes the encoder's weights ({name}); only the optimiser may", subject.place(method)
            )


def _compare(subject: Subject, before: dict[str, Any], after: dict[str, Any], method: str) -> None:
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            was, now = (str(facts.get(name, "not there"))[:80] for facts in (before, after))
            raise Broken(f"after {method}, {name} is {now}; it was {was}", subject.place(method))


def _portrait(encoder: Encoder) -> dict[str, Any]:
    """Everything about an encoder that is not the values of its weights, a fact a name."""
    facts: dict[str, Any] = {"the configuration": encoder.config, "the specs": encoder.specs}
    for name, value in [*encoder.named_parameters(), *encoder.named_buffers()]:
        facts[f"the parameter {name}"] = f"{tuple(value.shape)} {value.dtype}{'' if value.requires_grad else ' frozen'}"
    for name, module in encoder.named_modules():
        facts |= {f"the {what} of {name or 'the encoder'}": value for what, value in _module(module).items()}
    facts["the code of dabs.encoder and torch.nn"] = hash(_code())
    return facts


def _module(module: nn.Module) -> dict[str, Any]:
    """Its class, its hooks, the functions that were set on the object itself, and its settings."""
    own = vars(module)
    functions = (types.FunctionType, types.MethodType, types.BuiltinFunctionType)
    return {
        "class": type(module).__name__,
        "hooks": sum(len(own[name]) for name in own if name.endswith("_hooks")),
        "own functions": sorted(name for name, value in own.items() if isinstance(value, functions)),
        "settings": {k: v for k, v in own.items() if isinstance(v, int | float | str) and not k.startswith("_")},
    }


def _code() -> tuple[int, ...]:
    """Identities of the functions that the encoder runs."""
    kinds = [value for value in vars(dabs.encoder).values() if isinstance(value, type) and issubclass(value, nn.Module)]
    methods = [id(value) for kind in kinds for _, value in sorted(vars(kind).items()) if callable(value)]
    used = (functional.scaled_dot_product_attention, functional.gelu, functional.dropout, functional.layer_norm)
    return (*methods, *map(id, used), id(nn.Linear.forward), id(nn.LayerNorm.forward), id(nn.Embedding.forward))
