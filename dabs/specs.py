"""What an input looks like: tokens, a series or an image, or any tuple of them; and the batch made of them.

A spec says how raw values become N embeddings and nothing about where they come from. The encoder and the algorithms
see only specs, which is what makes them domain-agnostic. In shapes: B batch, N embeddings, P values in a patch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dabs.errors import RequestError
from dabs.utils.files import short

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Token ids, int64 (B, length); the id `pad` marks padding, which is masked out everywhere."""

    length: int
    vocabulary: int
    pad: int = 0

    @property
    def embeddings(self) -> int:
        """N: one embedding a token."""
        return self.length

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (self.length,)


@dataclass(frozen=True, kw_only=True)
class Series:
    """A multichannel time series, float (B, steps, channels); a segment of consecutive steps is one embedding."""

    steps: int
    channels: int
    segment: int

    def __post_init__(self) -> None:
        if self.steps % self.segment:
            raise RequestError(f"Series: {self.steps} steps are not a whole number of segments of {self.segment}")

    @property
    def embeddings(self) -> int:
        """N: one embedding a segment."""
        return self.steps // self.segment

    @property
    def patch_size(self) -> int:
        """P: values in one segment, flattened as (step, channel)."""
        return self.segment * self.channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (self.steps, self.channels)


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image or a spectrogram, float (B, channels, height, width); a square patch is one embedding."""

    height: int
    width: int
    channels: int
    patch: int

    def __post_init__(self) -> None:
        if self.height % self.patch or self.width % self.patch:
            raise RequestError(f"Image: {self.height}x{self.width} is not a whole number of {self.patch}-pixel patches")

    @property
    def embeddings(self) -> int:
        """N: one embedding a patch, rows first."""
        return (self.height // self.patch) * (self.width // self.patch)

    @property
    def patch_size(self) -> int:
        """P: values in one patch, flattened as (row, column, channel)."""
        return self.patch * self.patch * self.channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (self.channels, self.height, self.width)


Spec = Tokens | Series | Image
Specs = tuple[Spec, ...]
_KINDS: dict[str, type[Spec]] = {"tokens": Tokens, "series": Series, "image": Image}


def total_embeddings(specs: Specs) -> int:
    """N over all inputs of an example, in the order of the specs."""
    return sum(spec.embeddings for spec in specs)


def inputs_of(specs: Specs) -> str:
    """Specs in a few words, e.g. `Image 32x32x3, patch 4 (64)`."""
    words = []
    for spec in specs:
        if isinstance(spec, Tokens):
            words.append(f"Tokens {spec.length} of {spec.vocabulary:,}")
        elif isinstance(spec, Series):
            words.append(f"Series {spec.steps}×{spec.channels}, segment {spec.segment} ({spec.embeddings})")
        else:
            words.append(f"Image {spec.height}×{spec.width}×{spec.channels}, patch {spec.patch} ({spec.embeddings})")
    return " + ".join(words)


def specs_to_json(specs: Specs) -> list[dict[str, Any]]:
    """Specs as plain JSON values, one object a spec with its `kind`."""
    return [{"kind": type(spec).__name__.lower(), **asdict(spec)} for spec in specs]


def specs_from_json(values: Any) -> Specs:
    """The inverse of `specs_to_json`.

    Raises:
        RequestError: they are no list of objects, or an unknown kind, field or size.
    """
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise RequestError(f"the input specs must be a list of objects, not {short(values)}")
    specs: list[Spec] = []
    for value in values:
        fields = dict(value)
        kind = fields.pop("kind", None)
        if not isinstance(kind, str) or kind not in _KINDS:
            raise RequestError(f"unknown input spec {short(kind)}; allowed are {', '.join(_KINDS)}")
        for name, size in fields.items():
            if type(size) is not int or size < (name != "pad"):
                raise RequestError(f"input spec {kind}: {short(name)} is {short(size)}, not a size")
        try:
            specs.append(_KINDS[kind](**fields))
        except TypeError as error:
            raise RequestError(f"input spec {kind}: {error}") from error
    return tuple(specs)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch of examples.

    Attributes:
        inputs: one tensor a spec: Tokens int64 (B, length; fewer where the rest is padding in every example),
            Series float (B, steps, channels), Image float (B, channels, height, width).
        mask: bool (B, N), true where an embedding is real, false where it is padding; None when nothing is padded.
        label: targets, only for evaluation; always None while an algorithm learns.
    """

    inputs: tuple[Tensor, ...]
    mask: Tensor | None = None
    label: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def to(self, device: Any) -> Batch:
        """The same batch on another device (asynchronously where the memory is pinned)."""

        def move(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(device, non_blocking=True)

        inputs = tuple(x.to(device, non_blocking=True) for x in self.inputs)
        return Batch(inputs=inputs, mask=move(self.mask), label=move(self.label))
