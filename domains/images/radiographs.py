"""Draws frontal chest radiographs from random numbers: anatomy first, then findings by their sign, then exposure.

Coordinates: x from -1 (image left, the patient's right) to 1, y from -1 (top) to 1. Brightness: air 0, bone near 1.
Only +, -, *, / and comparisons are applied to pixels, no exponentials, so that every machine draws the same bytes.
A value per film is shaped (n, 1, 1); a picture (n, 64, 64), float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDE = 64  # pixels
FINDINGS = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural_effusion")
# Share of studies positive for each, CheXpert's training labels: Irvin et al., AAAI 2019, table 1.
PREVALENCE = (0.156, 0.123, 0.068, 0.261, 0.403)
ATELECTASIS, CARDIOMEGALY, CONSOLIDATION, EDEMA, EFFUSION = range(5)
ENLARGED = 0.5  # the cardiothoracic ratio above which a heart counts as enlarged
_AXIS = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Films:
    """Drawn films.

    Attributes:
        pixels: uint8 (n, 1, 64, 64).
        findings: int8 (n, 5), 1 where present, in the order FINDINGS.
        heart: float32 (n,), the cardiothoracic ratio: greatest heart width over inner chest width.
    """

    pixels: np.ndarray
    findings: np.ndarray
    heart: np.ndarray


def step(x: np.ndarray, soft: float | np.ndarray) -> np.ndarray:
    """0 below -soft, 1 above soft, a smooth cubic between."""
    t = np.clip(x / (2 * soft) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def bump(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A soft round spot: 1 in the middle, 0 from radius 1 on."""
    t = np.clip(1 - x * x - y * y, 0, None)
    return np.asarray(t * t)


def ripple(x: np.ndarray) -> np.ndarray:
    """A smooth wave of period 1 between 0 (at whole numbers) and 1 (half way)."""
    t = 2 * np.abs(x - np.round(x))
    return np.asarray(t * t * (3 - 2 * t))


class Draw:
    """Random numbers shaped for films: (n, 1, 1) float32 each."""

    def __init__(self, n: int, generator: np.random.Generator) -> None:
        self.n, self.generator = n, generator

    def between(self, low: float, high: float) -> np.ndarray:
        """Uniform."""
        return (low + (high - low) * self.generator.random((self.n, 1, 1))).astype(np.float32)

    def chance(self, p: float) -> np.ndarray:
        """1 with probability p, else 0."""
        return (self.generator.random((self.n, 1, 1)) < p).astype(np.float32)

    def texture(self, cells: int) -> np.ndarray:
        """Smooth noise between -1 and 1: a grid of cells × cells random values, interpolated linearly."""
        grid = self.generator.random((self.n, cells, cells), dtype=np.float32) * 2 - 1
        at = (np.arange(SIDE) + 0.5) / SIDE * (cells - 1)
        low = at.astype(int)
        part = (at - low).astype(np.float32)
        rows = grid[:, low] * (1 - part)[:, None] + grid[:, low + 1] * part[:, None]
        return np.asarray(rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part)

    def grain(self) -> np.ndarray:
        """Pixel noise of unit spread, nearly normal: a sum of three uniform numbers."""
        parts = [self.generator.random((self.n, SIDE, SIDE), dtype=np.float32) for _ in range(3)]
        return (parts[0] + parts[1] + parts[2] - np.float32(1.5)) * 2


def soften(x: np.ndarray) -> np.ndarray:
    """Mean over a square of 3 × 3 pixels; edges are repeated."""
    x = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    x = (x[:, :-2] + x[:, 1:-1] + x[:, 2:]) / np.float32(3)
    return np.asarray((x[:, :, :-2] + x[:, :, 1:-1] + x[:, :, 2:]) / np.float32(3))


class Anatomy:
    """One chest a film: where the lungs, the heart and the diaphragm lie, and the shadows they cast."""

    def __init__(self, draw: Draw, findings: np.ndarray) -> None:
        self.draw = draw
        has = findings.T[:, :, None, None].astype(np.float32)  # (5, n, 1, 1)
        tilt, zoom = draw.between(-0.09, 0.09), draw.between(0.88, 1.16)
        x = (_AXIS[None, None, :] - draw.between(-0.1, 0.1)) * zoom
        y = (_AXIS[None, :, None] - draw.between(-0.1, 0.1)) * zoom
        self.x, self.y = x + tilt * y, y - tilt * x
        self.left = (self.x < 0).astype(np.float32)  # the image's left half: the patient's right lung
        self.across = np.abs(self.x)
        self.chest = draw.between(0.62, 0.8)  # half the inner chest width
        # a collapsed base pulls the diaphragm up on its side
        self.collapsed = draw.chance(0.5)  # 1: the image's left side
        lift = has[ATELECTASIS] * draw.between(0.05, 0.17) * self.on_side(self.collapsed)
        self.dome = draw.between(0.36, 0.62) + (1 - self.left) * draw.between(-0.02, 0.09) - lift
        normal, enlarged = draw.between(0.38, ENLARGED), draw.between(ENLARGED, 0.66)
        self.heart_ratio = np.where(has[CARDIOMEGALY] > 0, enlarged, normal)
        self._place_lungs()
        self._place_heart()

    def on_side(self, side: np.ndarray) -> np.ndarray:
        """1 on the half of the picture that `side` (1: image left, 0: image right) names."""
        return np.asarray(side * self.left + (1 - side) * (1 - self.left))

    def _place_lungs(self) -> None:
        draw = self.draw
        apex = draw.between(-0.86, -0.7)
        height = (self.y - apex) / (self.dome + np.float32(0.15) - apex)  # 0 at the apex, 1 below the dome
        widening = np.clip(1 - height, 0, 1)
        self.wall = self.chest * (1 - widening * widening * draw.between(0.42, 0.62))
        reach = self.across / self.chest
        # the diaphragm is a dome: highest in the middle of each lung, lowest at the costophrenic angle
        self.floor = self.dome + draw.between(0.35, 0.8) * (reach - np.float32(0.45)) * (reach - np.float32(0.45))
        self.above_floor = step(self.floor - self.y, 0.035)
        self.lungs = (
            step(self.wall - self.across, 0.04)
            * step(self.across - draw.between(0.1, 0.16), 0.06)
            * step(self.y - apex - np.float32(0.25) * reach * reach, 0.06)
            * self.above_floor
        )

        self.depth = draw.between(0.3, 0.44)  # how much darker air is than soft tissue

    def _place_heart(self) -> None:
        width = self.heart_ratio * self.chest  # half the heart's width
        middle = width * self.draw.between(0.2, 0.4)  # about two thirds lie to the patient's left, image right
        tall = self.draw.between(0.3, 0.4) + np.float32(0.25) * width
        dx = (self.x - middle) / width
        dy = (self.y - self.dome + tall * np.float32(0.75)) / tall
        lean = self.draw.between(0.1, 0.3)  # the axis of the heart points down to the patient's left
        dy = dy - lean * dx
        self.heart = step(1 - dx * dx - dy * dy, 0.16)
        self.air = self.lungs * (1 - np.float32(0.92) * self.heart)

    def shadows(self) -> np.ndarray:
        """The film without findings: soft tissue, air in the lungs, heart, spine, ribs, collar bones."""
        draw, y = self.draw, self.y
        body = step(self.chest + draw.between(0.12, 0.3) - self.across + step(y, 0.6) * np.float32(0.1), 0.06)
        film = body * draw.between(0.6, 0.74)
        film = film - self.air * self.depth
        film = film + self.heart * draw.between(0.0, 0.07)
        spine = step(draw.between(0.09, 0.13) - self.across, 0.04) * body
        film = film + spine * (draw.between(0.04, 0.12) + np.float32(0.05) * ripple(y * draw.between(4, 5.5)))
        ribs = ripple(
            (y + draw.between(0.1, 0.35) * self.across * self.across) * draw.between(3.2, 4.6) + draw.between(0, 1)
        )
        cage = step(self.chest * np.float32(1.08) - self.across, 0.05) * step(np.float32(0.75) - y, 0.15)
        film = film + ribs * ribs * cage * draw.between(0.03, 0.11)
        collar = y + draw.between(0.62, 0.78) + draw.between(-0.1, 0.3) * self.across
        film = film + step(np.float32(0.035) - np.abs(collar), 0.03) * body * draw.between(0.04, 0.12)
        vessels = bump(self.across / draw.between(0.4, 0.6) - np.float32(0.4), y / draw.between(0.45, 0.6))
        film = film + vessels * self.lungs * (draw.between(0.0, 0.1) + np.float32(0.07) * draw.texture(16))
        folds = bump(
            self.across / self.chest - draw.between(0.4, 0.7), (y - draw.between(0.1, 0.4)) / draw.between(0.3, 0.6)
        )
        # breast or muscle, both sides alike
        return np.asarray(film + folds * draw.between(-0.02, 0.12) * body)


def add_findings(film: np.ndarray, a: Anatomy, findings: np.ndarray, draw: Draw) -> np.ndarray:
    """Adds each finding where it is present, following its radiological sign.

    A finding takes a share of the air away, so that no lung gets denser than soft tissue however many it has.
    """
    has = findings.T[:, :, None, None].astype(np.float32)
    left = 1 - has[ATELECTASIS] * plate(a, draw)
    left = left * (1 - has[CONSOLIDATION] * patch(a, draw))
    left = left * (1 - has[EDEMA] * haze(a, draw))
    left = left * (1 - has[EFFUSION] * fluid(a, draw))
    return np.asarray(film + a.air * a.depth * (1 - left))


def plate(a: Anatomy, draw: Draw) -> np.ndarray:
    """Atelectasis: a thin dense line near the raised base (the raised diaphragm is in the anatomy); the air lost."""
    line = a.floor - a.y - draw.between(0.1, 0.3) - draw.between(-0.25, 0.25) * a.across
    thin = step(np.float32(0.03) - np.abs(line), 0.03) * a.on_side(a.collapsed)
    return np.asarray(thin * step(a.across / a.chest - draw.between(0.2, 0.45), 0.1) * draw.between(0.4, 0.8))


def patch(a: Anatomy, draw: Draw) -> np.ndarray:
    """Consolidation: a dense patch with a soft, uneven edge somewhere in one lung; the air lost."""
    dx = (a.across - a.chest * draw.between(0.35, 0.75)) / draw.between(0.24, 0.46)
    dy = (a.y - draw.between(-0.45, 0.3)) / draw.between(0.24, 0.46)
    uneven = bump(dx, dy) * (1 + np.float32(0.5) * draw.texture(16)) * a.on_side(draw.chance(0.5))
    return np.asarray(np.clip(uneven * draw.between(0.8, 1.4), 0, 1))


def haze(a: Anatomy, draw: Draw) -> np.ndarray:
    """Edema: a haze spreading from both hila, with a coarser pattern of vessels; the air lost."""
    dx = (a.across / a.chest - np.float32(0.3)) / draw.between(0.6, 0.9)
    dy = (a.y - np.float32(0.05)) / draw.between(0.6, 0.9)
    return np.asarray(np.clip(bump(dx, dy) * (draw.between(0.15, 0.5) + np.float32(0.3) * draw.texture(16)), 0, 1))


def fluid(a: Anatomy, draw: Draw) -> np.ndarray:
    """Pleural effusion: the angle of diaphragm and chest wall filled, its surface rising to the wall; the air lost."""
    reach = a.across / a.chest
    rise = draw.between(0.2, 0.5) * reach * reach * reach
    level = a.dome + draw.between(-0.32, 0.06) - rise + np.float32(0.22)
    sides = np.maximum(draw.chance(0.4), a.on_side(draw.chance(0.5)))  # both lungs, or one
    return np.asarray(step(a.y - level, 0.05) * sides * draw.between(0.8, 1))


def expose(film: np.ndarray, draw: Draw) -> np.ndarray:
    """What the apparatus does: sharpness, exposure, contrast, uneven field, noise; gives uint8 (n, 1, 64, 64)."""
    soft = draw.between(0, 1)
    film = film * (1 - soft) + soften(film) * soft
    film = film + draw.between(-0.12, 0.12) * _AXIS[None, :, None] + draw.between(-0.08, 0.08) * _AXIS[None, None, :]
    film = (film - np.float32(0.5)) * draw.between(0.7, 1.2) + np.float32(0.5) + draw.between(-0.14, 0.1)
    film = film + draw.between(-0.35, 0.35) * film * (1 - film)
    film = film + draw.texture(8) * draw.between(0.0, 0.08) + draw.grain() * draw.between(0.015, 0.06)
    return np.asarray(np.clip(film, 0, 1) * 255, np.uint8)[:, None]


def films_of(findings: np.ndarray, generator: np.random.Generator) -> Films:
    """One film of one patient for each row of `findings`, int8 (n, 5).

    The same generator state gives the same patients whatever their findings.
    """
    draw = Draw(len(findings), generator)
    anatomy = Anatomy(draw, findings)
    film = add_findings(anatomy.shadows(), anatomy, findings, draw)
    return Films(pixels=expose(film, draw), findings=findings, heart=anatomy.heart_ratio.reshape(-1))


def draw_films(n: int, generator: np.random.Generator) -> Films:
    """`n` films of `n` patients, each finding drawn on its own with its prevalence."""
    findings = (generator.random((n, len(FINDINGS))) < PREVALENCE).astype(np.int8)
    return films_of(findings, generator)
