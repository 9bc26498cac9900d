"""Resumed iteration-based trainings; iterators created too early."""

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import loops

from ies_mm.errors import ConfigError
from ies_mm.training.data.stream import EndlessStream
from ies_mm.training.loop.resumed_batches import ResumedBatches
from iteration_runs import OUT, PLAIN, Ends, always, plain
from runs import (
    epochs_of,
    parameters,
    train,
    with_hook,
)
from same_runs import OF_TIME
from task_runs import (
    classifier_config,
    in_iterations,
    segmentor_config,
    with_ies,
    with_sampler,
)


@pytest.mark.parametrize('seed', [7, None])
@pytest.mark.parametrize('out', [[], OUT])
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    folders: Path, tmp_path: Path, seed: int | None, out: list[int]
) -> None:
    """From the middle of the second pass; MMEngine draws a new seed."""

    def config(name: str) -> Config:
        made = with_sampler(plain(folders, tmp_path / name))
        made.default_hooks.checkpoint.interval = 7
        made.train_dataloader.dataset.pipeline[1].prob = 0.0
        made.param_scheduler = [
            dict(type='PolyLR', eta_min=1e-3, by_epoch=False, end=PLAIN)
        ]
        made.randomness.seed = seed
        return made

    whole = train(config('whole'), with_hook(always(out)))
    again = config('again')
    again.resume = True
    again.load_from = str(tmp_path / 'whole' / 'iter_7.pth')
    resumed = train(again, with_hook(always(out)))
    assert resumed.iter == whole.iter
    found, expected = parameters(resumed), parameters(whole)
    assert all(torch.equal(found[k], expected[k]) for k in expected)
    records = epochs_of(tmp_path / 'whole')[1:]
    assert without_seconds(epochs_of(tmp_path / 'again')) == without_seconds(
        records
    )
    assert [r['trained'] for r in records] == [20 - len(out)] * 5


def without_seconds(records: list[dict]) -> list[dict]:
    return [
        {k: v for k, v in record.items() if not k.endswith(OF_TIME)}
        for record in records
    ]


def test_a_finished_run_that_is_resumed_trains_no_more(
    folders: Path, tmp_path: Path
) -> None:
    def config() -> Config:
        return with_sampler(plain(folders, tmp_path))

    train(config(), with_hook(always(OUT)))
    again = config()
    again.resume = True
    again.load_from = str(tmp_path / 'iter_20.pth')
    assert train(again, with_hook(always(OUT))).iter == 20


def test_a_plain_run_is_gone_on_with(folders: Path, tmp_path: Path) -> None:
    config = plain(folders, tmp_path / 'plain')
    config.default_hooks.checkpoint.interval = 7
    train(config)
    config = with_ies(plain(folders, tmp_path / 'ies'), delta=0)
    config.resume = True
    config.load_from = str(tmp_path / 'plain' / 'iter_7.pth')
    ends = Ends()
    assert train(config, with_hook(ends)).iter == PLAIN
    assert set(ends.logged) == {PLAIN}
    records = epochs_of(tmp_path / 'ies')
    assert [r['epoch'] for r in records] == [2, 3, 4, 5, 6]
    assert [r['trained'] for r in records] == [12, 20, 20, 20, 20]
    assert [r['excluded'] for r in records] == [0] * 5


def test_another_loop_cannot_go_on(folders: Path, tmp_path: Path) -> None:
    train(with_ies(classifier_config(folders, tmp_path / 'a'), delta=0))
    config = with_ies(plain(folders, tmp_path / 'b'), delta=0)
    config.resume = True
    config.load_from = str(tmp_path / 'a' / 'epoch_2.pth')
    with pytest.raises(ConfigError, match=r'of another loop .*counts epochs'):
        train(config)


def test_an_iterator_made_before_is_replaced(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MMEngine up to 0.10.7 starts the workers when it builds the loop."""
    original = loops._InfiniteDataloaderIterator.__init__

    def eager(self: Any, dataloader: Any) -> None:
        original(self, dataloader)
        self._iterator = self._iterator or iter(dataloader)

    monkeypatch.setattr(loops._InfiniteDataloaderIterator, '__init__', eager)

    def config(name: str) -> Config:
        made = with_ies(plain(folders, tmp_path / name, 10), delta=0)
        made.train_dataloader.num_workers = 1
        made.train_dataloader.persistent_workers = True
        made.default_hooks.checkpoint.interval = 7
        return made

    train(config('whole'))
    assert [r['trained'] for r in epochs_of(tmp_path / 'whole')] == [20, 20]
    again = config('again')
    again.resume = True
    again.load_from = str(tmp_path / 'whole' / 'iter_7.pth')
    train(again)
    assert [r['trained'] for r in epochs_of(tmp_path / 'again')] == [20]


@pytest.mark.parametrize('skips', [True, False])
def test_what_a_resumed_loop_skips_is_not_taken_from_the_stream(
    skips: bool,
) -> None:
    """By a method of the iterator, or by drawing (up to 0.10.7)."""

    class Batches:
        def __init__(self) -> None:
            self.numbers = iter(range(10))

        def __next__(self) -> int:
            return next(self.numbers)

    class SkippingBatches(Batches):
        def skip_iter(self, iterations: int) -> None:
            raise AssertionError('the stream has them behind it')

    batches = SkippingBatches() if skips else Batches()
    iterator = ResumedBatches(batches, 3, EndlessStream(10, False, 0))
    if skips:
        iterator.skip_iter(3)
    else:
        assert [next(iterator) for _ in range(3)] == [None] * 3
    assert [next(iterator) for _ in range(4)] == [0, 1, 2, 3]


def test_an_iterator_made_anew_draws_no_random_number(
    maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without workers, such a version also gives the plain run."""
    original = loops._InfiniteDataloaderIterator.__init__

    def eager(self: Any, dataloader: Any) -> None:
        original(self, dataloader)
        self._iterator = self._iterator or iter(dataloader)

    monkeypatch.setattr(loops._InfiniteDataloaderIterator, '__init__', eager)

    def config(name: str) -> Config:
        return in_iterations(segmentor_config(maps, tmp_path / name), 3)

    expected = parameters(train(config('plain')))
    found = parameters(train(with_ies(config('ies'), delta=0)))
    assert all(torch.equal(found[k], expected[k]) for k in expected)
