"""The cost of a decision, and how it grows with the dataset."""

import itertools
import statistics
from collections.abc import Callable

import torch

from benchmarks.timing import seconds
from ies_mm.core import Budget, Criterion, LossHistory, Progress, Spaced, Waits
from ies_mm.core.reference import ReferenceIES

SIZES = (5_000, 50_000, 1_280_000)


def bench_decisions() -> None:
    """Print a table: observe and judge all instances, one term.

    Ours also keeps the waits of spaced scoring; the loop has none.
    """
    print(
        '| instances | delta=1e-3 | Budget | literal loop, delta=1e-3 | '
        'loop / ours | bytes an instance |'
    )
    print('|---|---|---|---|---|---|')
    for size in SIZES:
        fixed, kept = _ours(size, Criterion(1e-3))
        budget, _ = _ours(size, Criterion(Budget(0.4)))
        loop = _loop(size)
        print(
            f'| {size:,} | {fixed * 1e3:.1f} ms | {budget * 1e3:.1f} ms | '
            f'{loop:.3f} s | {loop / fixed:.0f}x | {kept / size:.0f} |',
            flush=True,
        )


def _ours(size: int, criterion: Criterion) -> tuple[float, int]:
    """Median seconds of a decision, and the bytes of its state."""
    history, waits = LossHistory(size, 1, criterion.depth), Waits(size)
    ids = torch.arange(size)
    # Losses change every time: equal ones would all be exactly flat.
    losses = itertools.cycle(torch.rand(4, size, 1))
    policy = Spaced()
    progress = Progress(
        torch.ones(1).double(),
        instances=size,
        epochs=30,
        epochs_able=24,
        epochs_ahead=12,
    )

    def decide() -> None:
        history.observe(ids, next(losses))
        waits.observe(ids, 7)
        mastered, _, _ = criterion.judge(history, ['loss'], progress)
        waits.settle(policy, mastered, 7)

    kept = [*history.state_dict().values(), *waits.state_dict().values()]
    return _median(decide, criterion.needed, 21), sum(t.nbytes for t in kept)


def _loop(size: int) -> float:
    """Median seconds of the literal loop's decision, at the same size."""
    loop = ReferenceIES(size, 1e-3)
    observed = itertools.cycle(
        [
            {i: [loss] for i, loss in enumerate(torch.rand(size).tolist())}
            for _ in range(3)
        ]
    )
    return _median(lambda: loop.step(next(observed)), 6, 3)


def _median(call: Callable[[], object], before: int, times: int) -> float:
    for _ in range(before):
        call()
    return statistics.median(seconds(call) for _ in range(times))
