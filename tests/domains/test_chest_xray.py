"""Generated films show each finding by its radiological sign.

Each test draws the same patients with and without a finding.
"""

from __future__ import annotations

import numpy as np
import pytest

from dabs.domains.chest_xray import MAX_HEART_RATIO, MIN_HEART_RATIO
from dabs.domains.images.radiographs import (
    ATELECTASIS,
    CARDIOMEGALY,
    CONSOLIDATION,
    EDEMA,
    EFFUSION,
    ENLARGED_RATIO,
    FINDINGS,
    PREVALENCE,
    Anatomy,
    FilmRandom,
    add_findings,
    blur,
    draw_films,
    draw_random_films,
    round_spot,
    smooth_step,
    wave,
)

PATIENTS = 60


def _generator() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(7))


def _patients(finding: int | None) -> tuple[Anatomy, np.ndarray]:
    """Draw the same patients with one finding or none; return anatomy and film before exposure, (n, 64, 64)."""
    findings = np.zeros((PATIENTS, len(FINDINGS)), np.int8)
    if finding is not None:
        findings[:, finding] = 1
    random = FilmRandom(PATIENTS, _generator())
    anatomy = Anatomy(random, findings)
    return anatomy, add_findings(anatomy.shadows(), anatomy, findings, random)


def _added(finding: int) -> np.ndarray:
    return _patients(finding)[1] - _patients(None)[1]


def _sides(picture: np.ndarray, anatomy: Anatomy) -> np.ndarray:
    """Return the sum over the side of each lung, (n, 2)."""
    return np.stack([(picture * half).sum(axis=(1, 2)) for half in (anatomy.left, 1 - anatomy.left)], axis=1)


def test_films_are_the_same_for_the_same_seed() -> None:
    one, other = (draw_random_films(20, _generator()) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    assert one.pixels.shape == (20, 1, 64, 64)
    assert one.pixels.dtype == np.uint8
    assert len({film.tobytes() for film in one.pixels}) == 20


def test_findings_have_their_prevalence() -> None:
    findings = np.concatenate([draw_random_films(250, _generator_of(i)).findings for i in range(6)])
    np.testing.assert_allclose(findings.mean(axis=0), PREVALENCE, atol=0.04)


def _generator_of(i: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([7, i]))


def test_a_heart_is_called_enlarged_above_one_half() -> None:
    films = draw_random_films(300, _generator())
    enlarged = films.findings[:, CARDIOMEGALY] == 1
    assert films.heart[enlarged].min() >= ENLARGED_RATIO >= films.heart[~enlarged].max()
    assert films.heart.min() >= MIN_HEART_RATIO
    assert films.heart.max() <= MAX_HEART_RATIO


def test_the_drawn_heart_has_the_labelled_width() -> None:
    anatomy, _ = _patients(CARDIOMEGALY)
    heart = anatomy.heart > 0.5
    drawn = [np.ptp(x[h]) for x, h in zip(anatomy.x, heart, strict=True)]
    ratio = np.array(drawn) / (2 * anatomy.chest.reshape(-1))
    np.testing.assert_allclose(ratio, anatomy.heart_ratio.reshape(-1), atol=0.07)
    assert np.corrcoef(ratio, anatomy.heart_ratio.reshape(-1))[0, 1] > 0.9


def test_an_enlarged_heart_covers_more_of_the_lungs() -> None:
    air = [_patients(finding)[0].air.sum(axis=(1, 2)) for finding in (None, CARDIOMEGALY)]
    assert (air[1] < air[0]).all()


def test_atelectasis_raises_one_half_of_the_diaphragm() -> None:
    anatomy, _ = _patients(ATELECTASIS)
    lift = _patients(None)[0].dome - anatomy.dome  # (n, 1, 64): by column
    collapsed, other = anatomy.on_side(anatomy.collapsed) > 0, anatomy.on_side(1 - anatomy.collapsed) > 0
    assert (np.broadcast_to(lift, collapsed.shape)[collapsed] > 0.04).all()
    assert (np.broadcast_to(lift, other.shape)[other] == 0).all()


def test_consolidation_is_a_dense_patch_in_one_lung() -> None:
    anatomy, _ = _patients(None)
    added = _added(CONSOLIDATION)
    assert added.min() >= 0
    small, large = np.sort(_sides(added, anatomy), axis=1).T
    assert (small == 0).all()
    assert (large > 0).all()
    assert (added > 0.02).mean() < 0.1


def test_edema_is_a_haze_in_both_lungs() -> None:
    anatomy, _ = _patients(None)
    added = _sides(_added(EDEMA), anatomy)
    assert (added > 0).all()
    assert np.median(added.min(axis=1) / added.max(axis=1)) > 0.4


def test_an_effusion_fills_the_angle_from_below() -> None:
    anatomy, _ = _patients(None)
    added = _added(EFFUSION)
    filled = added > 0.05
    assert filled.any(axis=(1, 2)).mean() > 0.9
    depth = (anatomy.dome - anatomy.y)[filled]  # height above the dome of the diaphragm
    assert np.median(depth) < 0.3
    reach = np.broadcast_to(anatomy.across / anatomy.chest, filled.shape)[filled]
    assert np.median(reach) > 0.6  # lateral, where diaphragm and chest wall meet


@pytest.mark.parametrize("finding", range(len(FINDINGS)))
def test_every_finding_shows_after_exposure(finding: int) -> None:
    findings = np.zeros((PATIENTS, len(FINDINGS)), np.int8)
    without = draw_films(findings, _generator()).pixels.astype(int)
    findings[:, finding] = 1
    with_it = draw_films(findings, _generator()).pixels.astype(int)
    changed = np.abs(with_it - without) > 4
    assert (changed.sum(axis=(1, 2, 3)) >= 4).mean() > 0.8


def test_drawing_functions() -> None:
    x = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    np.testing.assert_allclose(smooth_step(x, 0.5), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(wave(x), [0, 1, 0, 1, 0])
    np.testing.assert_allclose(round_spot(x, 0 * x), [0, 0.5625, 1, 0.5625, 0])
    np.testing.assert_allclose(blur(np.ones((1, 64, 64))), 1)
