"""The cost of capturing, weighting and scoring on this device."""

import copy
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.optim import OptimWrapper

from gpu_checks.models import SHIPPED, Shipped, batch, build
from ies_mm.losses import capture_per_image_losses, weight_per_image_losses
from ies_mm.training.data.tagging import TAG
from ies_mm.training.scoring.scoring import forward_only, score

Step = Callable[[Any], object]
SECONDS, LEAST = 6.0, 5
"""Time after which no further round begins; minimum number of rounds."""
WAYS = ('plain', 'captured', 'weighted', 'scoring')


def costs_of(
    name: str,
    sizes: Sequence[int],
    rounds: int,
    device: str,
    size: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Time each kind of step of a model in turn, round after round.

    Args:
        name (str): A key of ``SHIPPED``.
        sizes (sequence of int): Batch sizes.
        rounds (int): How often to time each kind.
        device (str): 'cuda' or 'cpu'.
        size (int, optional): Height and width. Defaults to None, the model's.

    Yields:
        dict: ``plain_ms``, the ratios ``captured``, ``weighted`` and
        ``scoring`` with ``_low`` and ``_high`` (quartiles over the rounds),
        ``peak_mib`` and ``waits`` by kind of step.
    """
    shipped = SHIPPED[name]
    torch.manual_seed(0)
    model = build(shipped).to(device)
    for images in sizes:
        pixels = size or shipped.size
        data = _on_device(model, shipped, images, pixels)
        found = dict(model=name, images=images, pixels=pixels)
        yield found | _costs(_ways(model, images), data, rounds, device)


def _costs(
    ways: dict[str, Step], data: dict[str, Any], rounds: int, device: str
) -> dict[str, Any]:
    for way in WAYS:
        for _ in range(2):
            _milliseconds(ways[way], data, device)
    memory = {way: _peak(ways[way], data, device) for way in WAYS}
    waits = {way: _waits(ways[way], data, device) for way in WAYS[:3]}
    times = _times(ways, data, rounds, device)
    found: dict[str, Any] = dict(plain_ms=statistics.median(times['plain']))
    for way in WAYS[1:]:
        pairs = zip(times[way], times['plain'], strict=True)
        ratios = sorted(mine / plain for mine, plain in pairs)
        found[way] = statistics.median(ratios)
        found[f'{way}_low'] = ratios[len(ratios) // 4]
        found[f'{way}_high'] = ratios[-1 - len(ratios) // 4]
    rounds = len(times['plain'])
    return found | dict(rounds=rounds, peak_mib=memory, waits=waits)


def _times(
    ways: dict[str, Step], data: dict[str, Any], rounds: int, device: str
) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    end = time.perf_counter() + SECONDS
    for number in range(rounds):
        if number >= LEAST and time.perf_counter() > end:
            break
        for way in WAYS if number % 2 else WAYS[::-1]:
            times[way].append(_milliseconds(ways[way], data, device))
    return times


def _on_device(
    model: Any, shipped: Shipped, images: int, size: int
) -> dict[str, Any]:
    # Preprocess once: timing starts at the model's input.
    data: dict[str, Any] = model.data_preprocessor(
        batch(shipped, images, size), True
    )
    for number, sample in enumerate(data['data_samples']):
        sample.set_metainfo({TAG: number})
    return data


def _ways(model: Any, images: int) -> dict[str, Step]:
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.0))
    # As with InfoBatch: some of the images count twice.
    weights = torch.arange(images) % 2 + 1.0
    runner: Any = SimpleNamespace(model=model, optim_wrapper=wrapper)

    def step(
        context: Callable[[], AbstractContextManager[object]], data: Any
    ) -> None:
        with context():
            losses = model(**data, mode='loss')
            wrapper.update_params(model.parse_losses(losses)[0])

    def scoring(data: Any) -> None:
        with forward_only(runner):
            score(runner, data)

    captured = partial(capture_per_image_losses, model)
    weighted = partial(weight_per_image_losses, model, weights)
    return {
        'plain': partial(step, nullcontext),
        'captured': partial(step, captured),
        'weighted': partial(step, weighted),
        'scoring': scoring,
    }


def _fresh(data: dict[str, Any]) -> dict[str, Any]:
    """Copy the samples, since some losses write into them."""
    return data | {'data_samples': copy.deepcopy(data['data_samples'])}


def _milliseconds(way: Step, data: dict[str, Any], device: str) -> float:
    fresh = _fresh(data)
    if device == 'cpu':
        started = time.perf_counter()
        way(fresh)
        return (time.perf_counter() - started) * 1e3
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    way(fresh)
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end))


def _peak(way: Step, data: dict[str, Any], device: str) -> int | None:
    if device == 'cpu':
        return None
    torch.cuda.reset_peak_memory_stats()
    way(_fresh(data))
    return int(torch.cuda.max_memory_allocated() / 2**20)


def _waits(way: Step, data: dict[str, Any], device: str) -> int | None:
    """How often the host waits for the device in a step."""
    if device == 'cpu':
        return None
    fresh = _fresh(data)
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        torch.cuda.set_sync_debug_mode('warn')
        try:
            way(fresh)
        finally:
            torch.cuda.set_sync_debug_mode('default')
    return sum('synchroniz' in str(one.message) for one in seen)
