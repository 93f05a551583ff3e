"""Random frontal chest radiographs: anatomy, then findings, then exposure.

Coordinates: x from -1 (image left, the patient's right) to 1, y from -1 (top) to 1. Brightness: air 0, bone near 1.
Pixels are computed with +, -, *, / and comparisons only, without exponentials, so every machine draws the same bytes.
Values per film have the shape (n, 1, 1), images (n, 64, 64); both are float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SIDE = 64  # pixels
FINDINGS = ("atelectasis", "cardiomegaly", "consolidation", "edema", "pleural_effusion")
# share of positive studies among CheXpert's training labels: Irvin et al., AAAI 2019, table 1
PREVALENCE = (0.156, 0.123, 0.068, 0.261, 0.403)
ATELECTASIS, CARDIOMEGALY, CONSOLIDATION, EDEMA, EFFUSION = range(5)
ENLARGED_RATIO = 0.5  # a heart with a greater cardiothoracic ratio counts as enlarged
_AXIS = ((np.arange(SIDE) + 0.5) / SIDE * 2 - 1).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Films:
    """Generated films.

    Attributes:
        pixels: uint8 (n, 1, 64, 64).
        findings: int8 (n, 5), 1 if present, in the order of `FINDINGS`.
        heart: the cardiothoracic ratio, that is the greatest heart width over the inner chest width, float32 (n,).
    """

    pixels: np.ndarray
    findings: np.ndarray
    heart: np.ndarray


def smooth_step(x: np.ndarray, soft: float | np.ndarray) -> np.ndarray:
    """Return 0 below -soft, 1 above soft, and a smooth cubic between."""
    t = np.clip(x / (2 * soft) + np.float32(0.5), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def round_spot(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a soft round spot: 1 in the middle, 0 from radius 1 on."""
    t = np.clip(1 - x * x - y * y, 0, None)
    return np.asarray(t * t)


def wave(x: np.ndarray) -> np.ndarray:
    """Return a smooth wave of period 1 between 0 (at integers) and 1 (halfway)."""
    t = 2 * np.abs(x - np.round(x))
    return np.asarray(t * t * (3 - 2 * t))


class FilmRandom:
    """Random values for n films, float32; unless stated otherwise one per film, (n, 1, 1)."""

    def __init__(self, n: int, generator: np.random.Generator) -> None:
        self.n, self.generator = n, generator

    def uniform(self, low: float, high: float) -> np.ndarray:
        """Draw uniformly between `low` and `high`."""
        return (low + (high - low) * self.generator.random((self.n, 1, 1))).astype(np.float32)

    def bernoulli(self, p: float) -> np.ndarray:
        """Draw 1 with probability p, else 0."""
        return (self.generator.random((self.n, 1, 1)) < p).astype(np.float32)

    def texture(self, cells: int) -> np.ndarray:
        """Draw smooth noise between -1 and 1, (n, 64, 64): cells × cells random values, interpolated linearly."""
        grid = self.generator.random((self.n, cells, cells), dtype=np.float32) * 2 - 1
        at = (np.arange(SIDE) + 0.5) / SIDE * (cells - 1)
        low = at.astype(int)
        part = (at - low).astype(np.float32)
        rows = grid[:, low] * (1 - part)[:, None] + grid[:, low + 1] * part[:, None]
        return np.asarray(rows[:, :, low] * (1 - part) + rows[:, :, low + 1] * part)

    def pixel_noise(self) -> np.ndarray:
        """Draw pixel noise, (n, 64, 64), of unit variance and nearly normal: the sum of three uniform numbers."""
        parts = [self.generator.random((self.n, SIDE, SIDE), dtype=np.float32) for _ in range(3)]
        return (parts[0] + parts[1] + parts[2] - np.float32(1.5)) * 2


def blur(x: np.ndarray) -> np.ndarray:
    """Return the mean over 3 × 3 pixels; edge pixels are repeated."""
    x = np.pad(x, ((0, 0), (1, 1), (1, 1)), mode="edge")
    x = (x[:, :-2] + x[:, 1:-1] + x[:, 2:]) / np.float32(3)
    return np.asarray((x[:, :, :-2] + x[:, :, 1:-1] + x[:, :, 2:]) / np.float32(3))


class Anatomy:
    """The chest on each film: where lungs, heart and diaphragm are, and the shadows they cast."""

    def __init__(self, random: FilmRandom, findings: np.ndarray) -> None:
        self.random = random
        has = findings.T[:, :, None, None].astype(np.float32)  # (5, n, 1, 1)
        tilt, zoom = random.uniform(-0.09, 0.09), random.uniform(0.88, 1.16)
        x = (_AXIS[None, None, :] - random.uniform(-0.1, 0.1)) * zoom
        y = (_AXIS[None, :, None] - random.uniform(-0.1, 0.1)) * zoom
        self.x, self.y = x + tilt * y, y - tilt * x
        self.left = (self.x < 0).astype(np.float32)  # the image's left half, which shows the patient's right lung
        self.across = np.abs(self.x)
        self.chest = random.uniform(0.62, 0.8)  # half the inner chest width
        # atelectasis raises the diaphragm on its side
        self.collapsed = random.bernoulli(0.5)  # 1 for the image's left side
        lift = has[ATELECTASIS] * random.uniform(0.05, 0.17) * self.on_side(self.collapsed)
        self.dome = random.uniform(0.36, 0.62) + (1 - self.left) * random.uniform(-0.02, 0.09) - lift
        normal, enlarged = random.uniform(0.38, ENLARGED_RATIO), random.uniform(ENLARGED_RATIO, 0.66)
        self.heart_ratio = np.where(has[CARDIOMEGALY] > 0, enlarged, normal)
        self._place_lungs()
        self._place_heart()

    def on_side(self, side: np.ndarray) -> np.ndarray:
        """Return 1 on the half of the image that `side` names (1 for left, 0 for right), else 0."""
        return np.asarray(side * self.left + (1 - side) * (1 - self.left))

    def _place_lungs(self) -> None:
        random = self.random
        apex = random.uniform(-0.86, -0.7)
        height = (self.y - apex) / (self.dome + np.float32(0.15) - apex)  # 0 at the apex, 1 below the dome
        widening = np.clip(1 - height, 0, 1)
        self.wall = self.chest * (1 - widening * widening * random.uniform(0.42, 0.62))
        reach = self.across / self.chest
        # the diaphragm is a dome: highest in the middle of each lung, lowest at the costophrenic angle
        self.floor = self.dome + random.uniform(0.35, 0.8) * (reach - np.float32(0.45)) * (reach - np.float32(0.45))
        self.above_floor = smooth_step(self.floor - self.y, 0.035)
        self.lungs = (
            smooth_step(self.wall - self.across, 0.04)
            * smooth_step(self.across - random.uniform(0.1, 0.16), 0.06)
            * smooth_step(self.y - apex - np.float32(0.25) * reach * reach, 0.06)
            * self.above_floor
        )

        self.depth = random.uniform(0.3, 0.44)  # how much darker air is than soft tissue

    def _place_heart(self) -> None:
        width = self.heart_ratio * self.chest  # half the heart's width
        middle = width * self.random.uniform(0.2, 0.4)  # about two thirds lie to the patient's left, image right
        tall = self.random.uniform(0.3, 0.4) + np.float32(0.25) * width
        dx = (self.x - middle) / width
        dy = (self.y - self.dome + tall * np.float32(0.75)) / tall
        lean = self.random.uniform(0.1, 0.3)  # the heart's axis points down to the patient's left
        dy = dy - lean * dx
        self.heart = smooth_step(1 - dx * dx - dy * dy, 0.16)
        self.air = self.lungs * (1 - np.float32(0.92) * self.heart)

    def shadows(self) -> np.ndarray:
        """Draw the film without findings: soft tissue, air in the lungs, heart, spine, ribs, collar bones."""
        random, y = self.random, self.y
        body = smooth_step(
            self.chest + random.uniform(0.12, 0.3) - self.across + smooth_step(y, 0.6) * np.float32(0.1), 0.06
        )
        film = body * random.uniform(0.6, 0.74)
        film = film - self.air * self.depth
        film = film + self.heart * random.uniform(0.0, 0.07)
        spine = smooth_step(random.uniform(0.09, 0.13) - self.across, 0.04) * body
        film = film + spine * (random.uniform(0.04, 0.12) + np.float32(0.05) * wave(y * random.uniform(4, 5.5)))
        ribs = wave(
            (y + random.uniform(0.1, 0.35) * self.across * self.across) * random.uniform(3.2, 4.6)
            + random.uniform(0, 1)
        )
        cage = smooth_step(self.chest * np.float32(1.08) - self.across, 0.05) * smooth_step(np.float32(0.75) - y, 0.15)
        film = film + ribs * ribs * cage * random.uniform(0.03, 0.11)
        collar = y + random.uniform(0.62, 0.78) + random.uniform(-0.1, 0.3) * self.across
        film = film + smooth_step(np.float32(0.035) - np.abs(collar), 0.03) * body * random.uniform(0.04, 0.12)
        vessels = round_spot(self.across / random.uniform(0.4, 0.6) - np.float32(0.4), y / random.uniform(0.45, 0.6))
        film = film + vessels * self.lungs * (random.uniform(0.0, 0.1) + np.float32(0.07) * random.texture(16))
        folds = round_spot(
            self.across / self.chest - random.uniform(0.4, 0.7),
            (y - random.uniform(0.1, 0.4)) / random.uniform(0.3, 0.6),
        )
        # breast or muscle, alike on both sides
        return np.asarray(film + folds * random.uniform(-0.02, 0.12) * body)


def add_findings(film: np.ndarray, anatomy: Anatomy, findings: np.ndarray, random: FilmRandom) -> np.ndarray:
    """Add the findings that are present, each by its radiological sign.

    Each finding removes a share of the air, so no lung becomes denser than soft tissue, whatever its findings.
    """
    has = findings.T[:, :, None, None].astype(np.float32)
    air_left = 1 - has[ATELECTASIS] * atelectasis_loss(anatomy, random)
    air_left = air_left * (1 - has[CONSOLIDATION] * consolidation_loss(anatomy, random))
    air_left = air_left * (1 - has[EDEMA] * edema_loss(anatomy, random))
    air_left = air_left * (1 - has[EFFUSION] * effusion_loss(anatomy, random))
    return np.asarray(film + anatomy.air * anatomy.depth * (1 - air_left))


def atelectasis_loss(anatomy: Anatomy, random: FilmRandom) -> np.ndarray:
    """Return the share of air lost to atelectasis: a thin dense line near the base, which the anatomy has raised."""
    line = anatomy.floor - anatomy.y - random.uniform(0.1, 0.3) - random.uniform(-0.25, 0.25) * anatomy.across
    thin = smooth_step(np.float32(0.03) - np.abs(line), 0.03) * anatomy.on_side(anatomy.collapsed)
    return np.asarray(
        thin * smooth_step(anatomy.across / anatomy.chest - random.uniform(0.2, 0.45), 0.1) * random.uniform(0.4, 0.8)
    )


def consolidation_loss(anatomy: Anatomy, random: FilmRandom) -> np.ndarray:
    """Return the share of air lost to consolidation: a dense patch with a soft, uneven edge in one lung."""
    dx = (anatomy.across - anatomy.chest * random.uniform(0.35, 0.75)) / random.uniform(0.24, 0.46)
    dy = (anatomy.y - random.uniform(-0.45, 0.3)) / random.uniform(0.24, 0.46)
    uneven = round_spot(dx, dy) * (1 + np.float32(0.5) * random.texture(16)) * anatomy.on_side(random.bernoulli(0.5))
    return np.asarray(np.clip(uneven * random.uniform(0.8, 1.4), 0, 1))


def edema_loss(anatomy: Anatomy, random: FilmRandom) -> np.ndarray:
    """Return the share of air lost to edema: a haze from both hila, with a coarser pattern of vessels."""
    dx = (anatomy.across / anatomy.chest - np.float32(0.3)) / random.uniform(0.6, 0.9)
    dy = (anatomy.y - np.float32(0.05)) / random.uniform(0.6, 0.9)
    return np.asarray(
        np.clip(round_spot(dx, dy) * (random.uniform(0.15, 0.5) + np.float32(0.3) * random.texture(16)), 0, 1)
    )


def effusion_loss(anatomy: Anatomy, random: FilmRandom) -> np.ndarray:
    """Return the share of air lost to pleural effusion: fluid in the costophrenic angle, highest at the wall."""
    reach = anatomy.across / anatomy.chest
    rise = random.uniform(0.2, 0.5) * reach * reach * reach
    level = anatomy.dome + random.uniform(-0.32, 0.06) - rise + np.float32(0.22)
    sides = np.maximum(random.bernoulli(0.4), anatomy.on_side(random.bernoulli(0.5)))  # both lungs, or one
    return np.asarray(smooth_step(anatomy.y - level, 0.05) * sides * random.uniform(0.8, 1))


def expose(film: np.ndarray, random: FilmRandom) -> np.ndarray:
    """Simulate the apparatus (sharpness, exposure, contrast, uneven field, noise); return uint8 (n, 1, 64, 64)."""
    soft = random.uniform(0, 1)
    film = film * (1 - soft) + blur(film) * soft
    film = (
        film + random.uniform(-0.12, 0.12) * _AXIS[None, :, None] + random.uniform(-0.08, 0.08) * _AXIS[None, None, :]
    )
    film = (film - np.float32(0.5)) * random.uniform(0.7, 1.2) + np.float32(0.5) + random.uniform(-0.14, 0.1)
    film = film + random.uniform(-0.35, 0.35) * film * (1 - film)
    film = film + random.texture(8) * random.uniform(0.0, 0.08) + random.pixel_noise() * random.uniform(0.015, 0.06)
    return np.asarray(np.clip(film, 0, 1) * 255, np.uint8)[:, None]


def draw_films(findings: np.ndarray, generator: np.random.Generator) -> Films:
    """Draw one film of one patient for each row of `findings`, int8 (n, 5).

    The same generator state gives the same patients, whatever their findings.
    """
    random = FilmRandom(len(findings), generator)
    anatomy = Anatomy(random, findings)
    film = add_findings(anatomy.shadows(), anatomy, findings, random)
    return Films(pixels=expose(film, random), findings=findings, heart=anatomy.heart_ratio.reshape(-1))


def draw_random_films(n: int, generator: np.random.Generator) -> Films:
    """Draw films of `n` patients; each finding is drawn independently with its prevalence."""
    findings = (generator.random((n, len(FINDINGS))) < PREVALENCE).astype(np.int8)
    return draw_films(findings, generator)
