"""Samples that workers fetch ahead keep the selection they were drawn under.

Two workers fetch four batches ahead, so in every pass the first batches are
drawn before the decision that precedes it.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor

from ies_mm.engine import IESHook, InfoBatchHook
from ies_mm.training.data import stream as stream_module
from ies_mm.training.data.stream import Drawn, EndlessStream
from ies_mm.training.hook.incoming import Batch
from ies_mm.training.hook.steps import Steps
from ies_mm.training.loop import fetched as fetched_module
from ies_mm.training.loop.fetched import packed, unpacked
from runs import epochs_of, train, with_hook
from same_runs import (
    assert_same_run,
    by_iterations,
    resumed,
)

WORKERS = 2
AHEAD = 2 * WORKERS
"""Batches; PyTorch's prefetch_factor is 2."""


def with_workers(folders: Path, work_dir: Path) -> Config:
    config = by_iterations(folders, work_dir)
    config.train_dataloader.num_workers = WORKERS
    return config


@pytest.mark.parametrize(
    ('hook', 'arguments'),
    [
        (IESHook, dict(saved=0.3, order=0, window=1)),
        (InfoBatchHook, dict(ratio=0.7, anneal=0.0)),
    ],
)
def test_a_resumed_run_trains_what_had_been_fetched(
    folders: Path, tmp_path: Path, hook: type, arguments: dict
) -> None:
    """Saved three and two batches after a decision."""
    whole, again = tmp_path / 'whole', tmp_path / 'again'
    train(with_workers(folders, whole), with_hook(hook(**arguments)))
    assert sum(record['excluded'] for record in epochs_of(whole)) > 0
    for iteration in (8, 12):
        config = with_workers(folders, again)
        config = resumed(config, whole, f'iter_{iteration}.pth')
        train(config, with_hook(hook(**arguments)))
        assert_same_run(again, whole, last_of(whole))


def last_of(work_dir: Path) -> str:
    saved = [path.name for path in work_dir.glob('iter_*.pth')]
    return max(saved, key=lambda name: int(name[5:-4]))


class Noted(Steps):
    """Notes the weights of every batch, and those that were just decided."""

    batches: list[tuple[Tensor, Tensor | None, Tensor | None]]

    def train(self, batch: Batch, step: Any) -> Any:
        weight = self.session.state.selection.weight
        self.batches.append((batch.ids, batch.weights, weight))
        return super().train(batch, step)


def test_a_sample_is_weighted_as_when_it_was_drawn(
    folders: Path, tmp_path: Path
) -> None:
    class Steps(Noted):
        batches = []

    class Hook(InfoBatchHook):
        steps = Steps

    train(
        with_workers(folders, tmp_path),
        with_hook(Hook(ratio=0.7, anneal=0.0)),
    )
    # In the first pass, of five batches, everything is selected.
    assert all(weights is None for _, weights, _ in Steps.batches[:5])
    # As are the samples that were fetched before the first decision.
    for _, weights, decided in Steps.batches[5 : 5 + AHEAD]:
        assert weights is None
        assert decided is not None
    ids, weights, decided = Steps.batches[5 + AHEAD]
    assert weights is not None
    assert decided is not None
    assert torch.equal(weights, decided[ids])


def test_samples_survive_a_checkpoint() -> None:
    stream = EndlessStream(5, True, seed=2)
    stream.select(
        torch.tensor([True, True, False, True, True]),
        torch.tensor([1.0, 0.1, 1.0, 2.5, 3.0]),
    )
    shown = list(islice(stream, 7))
    assert unpacked(packed(stream.fetched)) == stream.fetched
    assert [sample.positions for sample in stream.fetched] == [
        [position] for position in shown
    ]
    assert unpacked(packed([])) == []


def test_another_number_of_processes_draws_them_again() -> None:
    """Each process has one column."""
    of_two = [Drawn([3, 4], [0, 0], 2, [1.0, 1.0])]
    assert unpacked(packed(of_two)) == []


@pytest.mark.parametrize('rank', [0, 1])
def test_each_of_two_processes_goes_on_with_its_samples(
    monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    """From the state of the first one, which alone saves checkpoints."""
    for module in (stream_module, fetched_module):
        monkeypatch.setattr(module, 'get_world_size', lambda: 2)

    def drawn_by(number: int) -> tuple[EndlessStream, Iterator[int], list]:
        monkeypatch.setattr(stream_module, 'get_rank', lambda: number)
        stream = EndlessStream(7, True, seed=1)
        samples = iter(stream)
        return stream, samples, list(islice(samples, 6))

    first, _, _ = drawn_by(0)
    for _ in range(2):  # trained
        first.drawn.popleft()
    whole, samples, shown = drawn_by(rank)
    fetched = unpacked(packed(first.fetched))
    again = EndlessStream(7, True, seed=1, fetched=fetched)
    keep = torch.tensor([True, False, True, False, True, True, True])
    for stream in (whole, again):
        stream.select(keep)
    coming = list(islice(samples, 8))
    assert list(islice(again, 12)) == shown[2:] + coming


def test_a_stream_goes_on_after_what_was_fetched() -> None:
    stream = EndlessStream(6, True, seed=4)
    keep = torch.tensor([True, True, False, False, True, True])
    samples = iter(stream)
    trained = [next(samples) for _ in range(3)]
    ahead = [next(samples) for _ in range(2)]
    for _ in trained:
        stream.drawn.popleft()
    again = EndlessStream(6, True, seed=4, fetched=stream.fetched)
    stream.select(keep)
    again.select(keep)
    assert again.consumed_after(4, 1) == stream.consumed_after(4, 1)
    coming = list(islice(samples, 9))
    assert list(islice(again, 11)) == ahead + coming
    assert again.fetched == stream.fetched
    # A hook that reads the loader starts where the training did.
    assert list(islice(again, 3)) == (ahead + coming)[:3]
