"""Planted label noise on the 1797 digits of scikit-learn.

As a program, it prints how many planted errors are among as many most
suspicious images, and, where cleanlab is installed, what its scores find by
the predictions of the same networks: ``python tests/digits.py``.
"""

import sys

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from ies_mm.labels.noise import part_dependent, symmetric
from ies_mm.report.instances import Tables
from ies_mm.report.suspecting.ranking import rank

EPOCHS = 12
FOLDS = 5


def digits() -> tuple[NDArray, NDArray]:
    """Pixels, float32 (1797, 64) from 0 to 1, and classes, int64 (1797,)."""
    found = load_digits()
    pixels = (found.data / 16).astype(np.float32)
    return pixels, found.target.astype(np.int64)


def with_noise(kind: str, seed: int, ratio: float = 0.1) -> NDArray:
    """The classes with noise."""
    pixels, clean = digits()
    if kind == 'symmetric':
        return symmetric(clean, 10, ratio, np.random.default_rng(seed))
    return part_dependent(lambda ids: pixels[ids], clean, 10, ratio, seed)


def trained(
    labels: NDArray, seed: int, epochs: int = EPOCHS
) -> tuple[NDArray, nn.Module]:
    """A small network, and the losses of its training, (E, N, 1).

    Images with a label below 0 are not trained; their losses are NaN.
    """
    pixels, target = torch.tensor(digits()[0]), torch.tensor(labels)
    own = torch.nonzero(target >= 0).flatten()
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    losses = torch.full((epochs, len(target), 1), torch.nan)
    for epoch in range(epochs):
        for batch in own[torch.randperm(len(own))].split(32):
            loss = nn.functional.cross_entropy(
                model(pixels[batch]), target[batch], reduction='none'
            )
            losses[epoch, batch, 0] = loss.detach()
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
    return losses.numpy(), model


def tables_of(losses: NDArray) -> Tables:
    """The per-image records of such a training."""
    epochs, images, _ = losses.shape
    names = [str(number) for number in range(images)]
    everything = np.ones((epochs, images), dtype=bool)
    return Tables(
        names, ['loss'], np.arange(1, epochs + 1), losses, everything
    )


def found_by(order: NDArray, labels: NDArray) -> float:
    """Share of the k wrong labels among the first k images."""
    wrong = labels != digits()[1]
    return float(wrong[order[: wrong.sum()]].mean())


def _figures(kind: str, seed: int) -> dict[str, float]:
    labels = with_noise(kind, seed)
    losses, model = trained(labels, seed)
    tables = tables_of(losses)
    found = {
        name: found_by(rank(tables, [], last=last).order, labels)
        for name, last in (('all', None), ('last 6', 6), ('last', 1))
    }
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return found
    for name, chances in (
        ('cleanlab', _chances(model)),
        ('cleanlab, 5 folds', _out_of_sample(labels, seed)),
    ):
        order = np.argsort(get_label_quality_scores(labels, chances))
        found[name] = found_by(order, labels)
    return found


def _chances(model: nn.Module) -> NDArray:
    with torch.no_grad():
        scores: Tensor = model(torch.tensor(digits()[0]))
    return scores.softmax(1).numpy()


def _out_of_sample(labels: NDArray, seed: int) -> NDArray:
    """Predictions of networks that have not seen the image."""
    fold = np.random.default_rng(seed).integers(0, FOLDS, len(labels))
    chances = np.zeros((len(labels), 10), np.float32)
    for number in range(FOLDS):
        others = np.where(fold == number, -1, labels)
        chances[fold == number] = _chances(trained(others, seed)[1])[
            fold == number
        ]
    return chances


def main() -> None:
    """Three seeds of each kind of noise, 10%."""
    torch.set_num_threads(1)
    for kind in ('symmetric', 'instance'):
        runs = [_figures(kind, seed) for seed in range(3)]
        for name in runs[0]:
            values = [run[name] for run in runs]
            sys.stdout.write(
                f'{kind:10} {name:18} {np.mean(values):.3f} ± '
                f'{np.std(values, ddof=1):.3f}\n'
            )


if __name__ == '__main__':
    main()
