"""Criteria on recorded losses of several terms, against plain loops."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from ies_mm.core import Criterion
from ies_mm.errors import ConfigError
from ies_mm.report.calibrating import pictures
from ies_mm.report.calibrating.diagnosis import diagnose
from ies_mm.report.calibrating.noise import ALL, noise_of
from ies_mm.report.calibrating.pictures import draw
from ies_mm.report.calibrating.recorded import Recorded, read_recorded
from ies_mm.report.calibrating.table import as_json, table
from work_dirs import record, write_instances, write_records

EPOCHS, IMAGES, TERMS = 20, 30, ['loss_cls', 'loss_bbox']


@pytest.fixture
def recorded() -> Recorded:
    draw = np.random.default_rng(0)
    losses = draw.random((EPOCHS, IMAGES, 2)) * [3, 0.02]
    trained = np.ones((EPOCHS, IMAGES), dtype=bool)
    return Recorded(losses.astype(np.float32), trained, TERMS)


def literal(recorded: Recorded, terms: str, epoch: int, image: int) -> float:
    """Flatness of each term in units of its first mean loss, joined."""
    flat = []
    for term in range(2):
        first = np.mean(recorded.losses[0, :, term].astype(float))
        curve = recorded.losses[: epoch + 1, image, term].astype(float)
        steps = [
            curve[t] - 2 * curve[t - 1] + curve[t - 2]
            for t in (epoch - 2, epoch - 1, epoch)
        ]
        flat.append(np.mean(np.abs(steps)) / first)
    return max(flat) if terms == 'all' else min(flat)


@pytest.mark.parametrize('terms', ['all', 'any'])
def test_every_term_on_its_own_scale(recorded: Recorded, terms: str) -> None:
    scores = recorded.scores(Criterion(0, terms=terms))
    for epoch in (5, 11, 19):
        wanted = [literal(recorded, terms, epoch, i) for i in range(IMAGES)]
        np.testing.assert_allclose(scores[epoch], wanted, rtol=1e-6)


def test_weights_are_the_inverse_of_the_noise(recorded: Recorded) -> None:
    draw = torch.Generator().manual_seed(0)
    passes = torch.randn(2000, 8, 2, generator=draw) * torch.tensor([0.4, 0.1])
    scale = torch.ones(1)
    noise = noise_of({ALL: passes + 5}, Criterion(0), TERMS, scale)
    weights = noise.weights(TERMS)
    assert weights['loss_bbox'] == 1
    assert weights['loss_cls'] == pytest.approx(1 / 16, rel=0.05)
    found = diagnose(recorded, Criterion(0), noise)
    assert 'inverse variance' in table(found)
    assert b'"loss_bbox": 1.0' in as_json(found)


def test_no_weights_where_a_term_has_no_noise() -> None:
    passes = torch.rand(9, 8, 2) * torch.tensor([1.0, 0.0])
    noise = noise_of({ALL: passes}, Criterion(0), TERMS, torch.ones(1))
    assert noise.weights(TERMS) == {}


def test_a_delta_of_several_terms_is_relative(recorded: Recorded) -> None:
    text = table(diagnose(recorded, Criterion(0, terms='all')))
    assert "delta to try: dict(type='Relative', factor=" in text


def test_images_that_have_no_loss_left() -> None:
    """Exact zeros, as float32 gives for learned images."""
    losses = np.random.default_rng(0).random((EPOCHS, IMAGES, 2)) + 1
    losses[:, :20] = 0
    trained = np.ones((EPOCHS, IMAGES), dtype=bool)
    recorded = Recorded(losses.astype(np.float32), trained, TERMS)
    found = diagnose(recorded, Criterion(0))
    assert found.tried.delta > 0
    assert found.tried.saved > 0.2
    draw(found)
    zero = Recorded(0 * recorded.losses, trained, TERMS)
    with pytest.raises(ConfigError, match='zero throughout'):
        diagnose(zero, Criterion(0))


@pytest.mark.parametrize('order', [0, 2])
def test_the_shortest_run(recorded: Recorded, order: int) -> None:
    """Every row has epochs to evaluate, or a note says that none is given."""
    criterion = Criterion(0, order, 1)

    def first(epochs: int) -> Recorded:
        losses, trained = recorded.losses, recorded.trained
        return Recorded(losses[:epochs], trained[:epochs], TERMS)

    short = diagnose(first(17), criterion)
    assert 'needs 18 epochs or more (this run has 17)' in short.missing
    assert np.isnan(short.ceiling)
    found = diagnose(first(18), criterion)
    assert found.missing == ''
    assert all(np.isfinite(row.decrease) for row in found.foresight)
    assert np.isfinite(found.ceiling)


@pytest.mark.parametrize('epochs', [7, 12])
def test_a_run_too_short_for_foresight(
    recorded: Recorded, epochs: int
) -> None:
    """The delta to try agrees with a literal count."""
    losses, trained = recorded.losses[:epochs], recorded.trained[:epochs]
    short = Recorded(losses, trained, TERMS)
    found = diagnose(short, Criterion(0))
    scores = short.scores(Criterion(0))
    saved = sum(
        int((scores[epoch] < found.tried.delta).sum())
        for epoch in range(5, epochs - 1)
    )
    assert 0 < saved == round(found.tried.saved * scores.size)
    assert np.isfinite(found.quantiles[5:]).all()
    assert 'needs 19 epochs' in table(found)
    assert 'nan' not in table(found)
    assert json.loads(as_json(found))['missing'] == found.missing
    draw(found)


def test_a_run_in_which_nothing_could_be_left_out(recorded: Recorded) -> None:
    short = Recorded(recorded.losses[:6], recorded.trained[:6], TERMS)
    with pytest.raises(ConfigError, match=r'has 6 epochs.* needs 7 or more'):
        diagnose(short, Criterion(0))


def test_an_epoch_without_a_finite_loss(recorded: Recorded) -> None:
    recorded.losses[-1] = np.nan
    with pytest.raises(ConfigError, match='without any finite loss'):
        diagnose(recorded, Criterion(0))


def test_an_image_that_was_observed_now_and_then() -> None:
    """Judged by its observations, as the hook does."""
    losses = np.random.default_rng(0).random((EPOCHS, 4, 1), dtype=np.float32)
    losses[::2, 1] = np.nan
    trained = np.ones((EPOCHS, 4), dtype=bool)
    scores = Recorded(losses, trained, ['loss']).scores(Criterion(0))
    seen = losses[1::2, 1, 0].astype(float)
    steps = np.abs(np.diff(seen, n=2))
    assert scores[-1, 1] == pytest.approx(steps[-3:].mean())
    assert np.isnan(scores[10, 1])
    assert np.isfinite(scores[11, 1])


def test_epochs_between_two_scoring_passes_are_left_out(
    tmp_path: Path,
) -> None:
    """A training that mixes images scores them every few epochs."""
    scored = np.random.default_rng(0).random((10, 4))
    losses = np.full((20, 4), np.nan)
    losses[1::2] = scored
    write_records(
        tmp_path, [record(epoch, non_finite=0) for epoch in range(1, 21)]
    )
    write_instances(tmp_path, [*'abcd'], [[1] * 4] * 20, losses.tolist())
    found = read_recorded(tmp_path)
    assert found.numbers == [*range(2, 21, 2)]
    assert found.total == pytest.approx(scored, rel=1e-5)
    diagnosis = diagnose(found, Criterion(0))
    assert json.loads(as_json(diagnosis))['epochs'] == found.numbers
    assert 'epoch 12' in table(diagnosis)  # the sixth observation
    draw(diagnosis)


def test_an_epoch_of_nan_stays_and_is_refused(tmp_path: Path) -> None:
    losses = np.ones((10, 2))
    losses[4] = np.nan
    write_records(
        tmp_path,
        [record(e, non_finite=2 * int(e == 5)) for e in range(1, 11)],
    )
    write_instances(tmp_path, ['a', 'b'], [[1, 1]] * 10, losses.tolist())
    with pytest.raises(ConfigError, match='without any finite loss'):
        diagnose(read_recorded(tmp_path), Criterion(0))


@pytest.mark.parametrize('learned', [False, True])
def test_what_chance_gives_is_no_measurement(
    learned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pure noise has no decrease to predict; 40 own speeds have one."""
    figures: list[Figure] = []
    monkeypatch.setattr(
        pictures, 'as_png', lambda figure, dpi: figures.append(figure) or b''
    )
    noise = np.random.default_rng(1).normal(size=(24, 40, 1)) * 0.1
    speeds = np.linspace(0.5, 2, 40)[:, None]
    curves = np.exp(-speeds * np.arange(24)[:, None, None] / 12)
    losses = (noise + 1 + 5 * learned * curves).astype(np.float32)
    found = diagnose(
        Recorded(losses, np.ones((24, 40), dtype=bool), ['loss']), Criterion(0)
    )
    text = table(found)
    assert ('A perfect criterion would correlate' in text) == learned
    assert ('is not above chance, 0.32' in text) != learned
    pictures.draw(found)
    labels = [
        line.get_label() for axes in figures[0].axes for line in axes.lines
    ]
    assert ('a perfect criterion' in labels) == learned
