"""The cost of capturing, weighting and scoring, in training steps."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.optim import OptimWrapper

from benchmarks.models import TASKS
from benchmarks.timing import Paired, paired
from ies_mm.losses import (
    capture_per_image_losses,
    weight_per_image_losses,
)
from ies_mm.training.data.tagging import TAG
from ies_mm.training.scoring.scoring import forward_only, score

HEADER = (
    '| | plain step | way | way / plain (95% interval of the median) |\n'
    '|---|---|---|---|'
)


def bench_steps(pairs: int) -> None:
    """Print a table: each kind of step against the plain one, same batch."""
    print(HEADER)
    for task, make in TASKS.items():
        bench(task, *make(), pairs)


def bench(task: str, model: Any, data: dict, pairs: int) -> None:
    """Print the rows of a model."""
    for way, found in _ways(model, data, pairs):
        print(
            f'| {task} | {found.plain * 1e3:.1f} ms | {way} | '
            f'{found.ratio:.3f} ({found.low:.3f} to {found.high:.3f}) |',
            flush=True,
        )


def _ways(model: Any, data: dict, pairs: int) -> list[tuple[str, Paired]]:
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
    # As with InfoBatch: some of the images count twice.
    weights = torch.arange(len(data['data_samples'])) % 2 + 1.0
    contexts: dict[str, Callable[[], AbstractContextManager[object]]] = {
        'captured step': partial(capture_per_image_losses, model),
        'weighted step': partial(weight_per_image_losses, model, weights),
    }

    def step(context: Callable[[], AbstractContextManager[object]]) -> None:
        with context():
            losses = model(**copy.deepcopy(data), mode='loss')
            wrapper.update_params(model.parse_losses(losses)[0])

    plain = partial(step, nullcontext)
    ways: dict[str, Callable[[], object]] = {
        name: partial(step, context) for name, context in contexts.items()
    }
    ways['scoring (refresh)'] = _scoring(model, wrapper, data)
    return [(name, paired(plain, way, pairs)) for name, way in ways.items()]


def _scoring(
    model: Any, wrapper: OptimWrapper, data: dict
) -> Callable[[], object]:
    """A scoring pass over the same images."""
    runner: Any = SimpleNamespace(model=model, optim_wrapper=wrapper)
    for number, sample in enumerate(data['data_samples']):
        sample.set_metainfo({TAG: number})

    def way() -> None:
        with forward_only(runner):
            score(runner, copy.deepcopy(data))

    return way
