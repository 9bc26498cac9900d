#!/usr/bin/env python
"""Benchmarks: what capturing and weighting cost a step, and a decision."""

import argparse
import copy
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.structures import InstanceData, PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

from ies_mm.core import Criterion, LossHistory
from ies_mm.core.reference import ReferenceIES
from ies_mm.losses import (
    capture_per_image_losses,
    weight_per_image_losses,
)

INSTANCES = 1_280_000
LOOP_INSTANCES = 20_000


def main() -> None:
    """Run all benchmarks."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument('--pairs', type=int, default=300)
    pairs = arguments.parse_args().pairs
    torch.manual_seed(0)
    print(f'torch {torch.__version__}, {torch.get_num_threads()} threads\n')
    for name, make in TASKS.items():
        step_cost(name, *make(), pairs)
    decision_cost()


def step_cost(name: str, model: Any, data: dict, pairs: int) -> None:
    """Median of changed over plain step time, one after the other."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    # As with InfoBatch: some of the images count twice.
    weights = torch.arange(len(data['data_samples'])) % 2 + 1.0

    def step() -> None:
        losses = model(**copy.deepcopy(data), mode='loss')
        optimizer.zero_grad()
        model.parse_losses(losses)[0].backward()
        optimizer.step()

    def captured_step() -> None:
        with capture_per_image_losses(model):
            step()

    def expected_step() -> None:
        with capture_per_image_losses(model, expected=True):
            step()

    def weighted_step() -> None:
        with weight_per_image_losses(model, weights):
            step()

    ways = {'capture': captured_step, 'weights': weighted_step}
    if hasattr(model, 'rpn_head'):
        ways['capture of expected losses'] = expected_step
    print(f'a step, {name}:')
    for label, changed in ways.items():
        times = alternate(step, changed, pairs)
        ratios = [with_ / plain for plain, with_ in times]
        plain = statistics.median(plain for plain, _ in times)
        low, high = median_interval(ratios)
        print(
            f'  with {label} / plain: median {statistics.median(ratios):.4f} '
            f'(95% interval of it {low:.4f} to {high:.4f}); plain, median '
            f'{plain * 1e3:.1f} ms of {pairs} pairs'
        )
    print()


def decision_cost() -> None:
    """Observe and judge, for the tensors and for the literal loop."""
    criterion = Criterion(1e-3)
    history = LossHistory(INSTANCES, 1, criterion.depth)
    ids, losses = torch.arange(INSTANCES), torch.rand(INSTANCES, 1)

    def decide() -> None:
        history.observe(ids, losses)
        criterion.mastered(history, ['loss'])

    loop = ReferenceIES(LOOP_INSTANCES, 1e-3)
    observed = {i: [0.5] for i in range(LOOP_INSTANCES)}
    for _ in range(criterion.needed):
        decide()
        loop.step(observed)
    ours = statistics.median(seconds(decide) for _ in range(7))
    theirs = statistics.median(
        seconds(lambda: loop.step(observed)) for _ in range(5)
    )
    kept = sum(t.nbytes for t in history.state_dict().values())
    faster = theirs / LOOP_INSTANCES * INSTANCES / ours
    print(f'decision, {INSTANCES} instances, one term:')
    print(f'  {ours:.3f} s, {kept / INSTANCES:.0f} bytes an instance')
    print(
        f'  {faster:.0f} times faster per instance than the literal loop '
        f'(measured at {LOOP_INSTANCES})'
    )


def alternate(
    first: Callable[[], object], second: Callable[[], object], pairs: int
) -> list[tuple[float, float]]:
    """Seconds of both, in pairs of changing order, after a warm-up."""
    for _ in range(3):
        first()
        second()
    times = []
    for pair in range(pairs):
        if pair % 2:
            late, early = seconds(second), seconds(first)
            times.append((early, late))
        else:
            times.append((seconds(first), seconds(second)))
    return times


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def median_interval(values: list[float]) -> tuple[float, float]:
    """95% interval of the median, from the ranks of a binomial count."""
    ranked, count = sorted(values), len(values)
    reach = 0.98 * count**0.5
    low = max(0, math.floor(count / 2 - reach))
    high = min(count - 1, math.ceil(count / 2 + reach))
    return ranked[low], ranked[high]


def build(config: str) -> Any:
    """A config's model with random weights."""
    cfg = Config.fromfile(f'configs/{config}')
    init_default_scope(cfg.default_scope)
    return MODELS.build(cfg.model).train()


def detector() -> tuple[Any, dict]:
    """The demo's Faster R-CNN, four images with a few boxes each."""
    samples = []
    for count in (1, 2, 4, 6):
        corner = torch.rand(count, 2) * 60
        boxes = torch.cat([corner, corner + 30], dim=1)
        sample = DetDataSample(
            metainfo=dict(
                img_shape=(120, 160),
                pad_shape=(128, 160),
                batch_input_shape=(128, 160),
                scale_factor=(1.0, 1.0),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=torch.randint(0, 6, (count,))
        )
        sample.ignored_instances = InstanceData(
            bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
        )
        samples.append(sample)
    model = build('faster_rcnn_r18_demo.py')
    return model, _inputs((4, 3, 128, 160), samples)


def segmentor() -> tuple[Any, dict]:
    """The DeepLabv3 of the CamVid runs, eight images."""
    samples = []
    for _ in range(8):
        sample = SegDataSample(metainfo=dict(img_shape=(144, 192)))
        label = torch.randint(0, 11, (1, 144, 192))
        label[:, -8:] = 255
        sample.gt_sem_seg = PixelData(data=label)
        samples.append(sample)
    model = build('deeplabv3_r18_camvid.py')
    return model, _inputs((8, 3, 144, 192), samples)


def classifier() -> tuple[Any, dict]:
    """The network of the CIFAR-10 runs, 64 images."""
    labels = torch.randint(0, 10, (64,))
    samples = [DataSample().set_gt_label(label) for label in labels]
    model = build('cifar/resnet14_cifar10_10k.py')
    return model, _inputs((64, 3, 32, 32), samples)


def _inputs(shape: tuple[int, ...], samples: list) -> dict:
    return {'inputs': torch.randn(*shape), 'data_samples': samples}


TASKS = {
    'small Faster R-CNN, 4 images of 160x120': detector,
    'small DeepLabv3, 8 images of 192x144': segmentor,
    'small residual network, 64 images of 32x32': classifier,
}

if __name__ == '__main__':
    main()
