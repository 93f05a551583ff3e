"""The specs of inputs (tokens, series, images) and the batch made of such inputs.

A spec says how raw values become N embeddings, but not where they come from. The encoder and the algorithms see only
specs, which makes them domain-agnostic. An example has one input or several, each with its own spec.

Shapes: B batch, N embeddings, P values in a patch.
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
    """Token ids, int64 (B, length). The id `pad` marks padding, which is masked out everywhere."""

    length: int
    vocabulary: int
    pad: int = 0

    @property
    def embeddings(self) -> int:
        """N, one embedding per token."""
        return self.length

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (self.length,)


@dataclass(frozen=True, kw_only=True)
class Series:
    """A multichannel time series, float (B, steps, channels). A segment of consecutive steps is one embedding."""

    steps: int
    channels: int
    segment: int

    def __post_init__(self) -> None:
        if self.steps % self.segment:
            raise RequestError(f"Series: {self.steps} steps are not a whole number of segments of {self.segment}")

    @property
    def embeddings(self) -> int:
        """N, one embedding per segment."""
        return self.steps // self.segment

    @property
    def patch_size(self) -> int:
        """P, the number of values in a segment, flattened as (step, channel)."""
        return self.segment * self.channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (self.steps, self.channels)


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image or a spectrogram, float (B, channels, height, width). A square patch is one embedding."""

    height: int
    width: int
    channels: int
    patch: int

    def __post_init__(self) -> None:
        if self.height % self.patch or self.width % self.patch:
            raise RequestError(f"Image: {self.height}x{self.width} is not a whole number of {self.patch}-pixel patches")

    @property
    def embeddings(self) -> int:
        """N, one embedding per patch, row by row."""
        return (self.height // self.patch) * (self.width // self.patch)

    @property
    def patch_size(self) -> int:
        """P, the number of values in a patch, flattened as (row, column, channel)."""
        return self.patch * self.patch * self.channels

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return (self.channels, self.height, self.width)


Spec = Tokens | Series | Image
Specs = tuple[Spec, ...]
_KINDS: dict[str, type[Spec]] = {"tokens": Tokens, "series": Series, "image": Image}


def total_embeddings(specs: Specs) -> int:
    """Return N over all inputs of an example."""
    return sum(spec.embeddings for spec in specs)


def describe_inputs(specs: Specs) -> str:
    """Return a short description of specs, such as `Image 32×32×3, patch 4 (64)`, with N in parentheses."""
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
    """Return specs as JSON values, one object per spec with its `kind`."""
    return [{"kind": type(spec).__name__.lower(), **asdict(spec)} for spec in specs]


def specs_from_json(values: Any) -> Specs:
    """Return specs from parsed JSON, as `specs_to_json` wrote it.

    Raises:
        RequestError: the values are not a list of objects, or a kind or field is unknown, or a size is not valid.
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
class Channels:
    """The mean and the standard deviation of each channel of one input, as the encoder reads it."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]


Standardisation = tuple[Channels | None, ...]  # one item per spec; None for tokens, which have no channels


@dataclass(frozen=True, kw_only=True)
class Batch:
    """A batch of examples.

    Attributes:
        inputs: one tensor per spec: Tokens int64 (B, length, or less if the rest is padding in every example), Series
            float (B, steps, channels), Image float (B, channels, height, width).
        mask: bool (B, N), true where an embedding is real, false where it is padding; None if nothing is padded.
        label: the targets, in evaluation only; None while an algorithm learns.
    """

    inputs: tuple[Tensor, ...]
    mask: Tensor | None = None
    label: Tensor | None = None

    def __len__(self) -> int:
        return len(self.inputs[0])

    def to(self, device: Any) -> Batch:
        """Return the batch on another device, copied asynchronously if its memory is pinned."""

        def move(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(device, non_blocking=True)

        inputs = tuple(x.to(device, non_blocking=True) for x in self.inputs)
        return Batch(inputs=inputs, mask=move(self.mask), label=move(self.label))
