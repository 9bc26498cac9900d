"""The denoiser against its equations, written as loops."""

import numpy as np
import pytest
import torch

from ies_mm.core import Denoiser


def literal(
    epochs: list[dict[int, float]], center: bool, smooth: float
) -> list[dict[int, float]]:
    """One image and one epoch at a time."""
    common, last, average = 0.0, {}, {}
    result = []
    for epoch in epochs:
        steps = sorted(
            loss - common - last[i] for i, loss in epoch.items() if i in last
        )
        if center and steps:
            common += steps[(len(steps) - 1) // 2]
        out = {}
        for i, loss in epoch.items():
            value = loss - common if center else loss
            last[i] = value
            if i in average:
                value = smooth * value + (1 - smooth) * average[i]
            average[i] = value
            out[i] = value
        result.append(out)
    return result


def seen(denoiser: Denoiser, epoch: dict[int, float]) -> dict[int, float]:
    ids = torch.tensor(list(epoch), dtype=torch.long)
    losses = torch.tensor(list(epoch.values()))[:, None]
    out = denoiser(ids, losses, instances=7)
    return dict(zip(epoch, out[:, 0].tolist(), strict=True))


@pytest.mark.parametrize('center', [False, True])
@pytest.mark.parametrize('smooth', [0.3, 1.0])
def test_as_the_equations_say(center: bool, smooth: float) -> None:
    draw = np.random.default_rng(0)
    epochs = [
        {i: float(draw.random()) for i in range(7) if draw.random() < 0.8}
        for _ in range(12)
    ]
    denoiser = Denoiser(center, smooth)
    for epoch, expected in zip(
        epochs, literal(epochs, center, smooth), strict=True
    ):
        assert seen(denoiser, epoch) == pytest.approx(expected, abs=1e-5)


def test_a_movement_of_all_is_taken_out() -> None:
    draw = np.random.default_rng(0)
    own = draw.random(7)
    curve = draw.random(10)
    denoiser = Denoiser(center=True)
    found = [seen(denoiser, dict(enumerate(own + c))) for c in curve]
    for values in found[1:]:
        assert values == pytest.approx(found[0], abs=1e-5)


def test_several_terms_move_by_themselves() -> None:
    denoiser = Denoiser(center=True)
    ids = torch.arange(3)
    first = torch.tensor([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    denoiser(ids, first, 3)
    moved = first + torch.tensor([0.5, -2.0])
    torch.testing.assert_close(denoiser(ids, moved, 3), first)


def test_nan_passes_and_leaves_no_trace() -> None:
    clean, dirty = Denoiser(True, 0.5), Denoiser(True, 0.5)
    for epoch in range(4):
        losses = {i: float(i + epoch**2) for i in range(5)}
        expected = seen(clean, losses)
        found = seen(dirty, losses | {6: float('nan')})
        assert np.isnan(found.pop(6))
        assert found == expected


def test_off_it_changes_nothing() -> None:
    losses = torch.tensor([[0.1], [float('inf')]])
    assert torch.equal(Denoiser()(torch.arange(2), losses, 2), losses)


def test_it_goes_on_from_its_state() -> None:
    draw = np.random.default_rng(0)
    whole, resumed = Denoiser(True, 0.4), Denoiser(True, 0.4)
    for epoch in range(6):
        losses = dict(enumerate(map(float, draw.random(7))))
        before = {k: v.clone() for k, v in whole.state_dict().items()}
        resumed.reset()
        resumed.load_state_dict(before)
        assert seen(resumed, losses) == seen(whole, losses), epoch


@pytest.mark.parametrize('smooth', [0, -1, 1.5, 'half'])
def test_a_bad_factor_is_refused(smooth: object) -> None:
    with pytest.raises((TypeError, ValueError), match='smooth='):
        Denoiser(smooth=smooth)
