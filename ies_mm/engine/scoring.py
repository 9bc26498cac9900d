"""Forward passes that leave no trace in the training."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.runner import Runner

from ies_mm.losses import CapturedLosses, capture_per_image_losses
from ies_mm.losses.base import unwrap


@contextmanager
def forward_only(runner: Runner) -> Iterator[None]:
    """Evaluation mode and no gradient.

    Mode, buffers and random numbers of the training are given back.

    Args:
        runner (Runner): Whose model is going to be run.
    """
    model = runner.model
    training = model.training
    # Some losses count what they see (SeesawLoss), also without a gradient.
    buffers = {name: b.clone() for name, b in model.named_buffers()}
    model.eval()
    try:
        # The wrapper's own context: autocast where the training has it.
        context = runner.optim_wrapper.optim_context(model)
        with torch.no_grad(), context, preserved_random_state():
            yield
    finally:
        model.train(training)
        for name, buffer in model.named_buffers():
            buffer.copy_(buffers[name])


def score(
    runner: Runner, batch: Any, expected: bool = False
) -> CapturedLosses:
    """Per-image losses of a batch; to be called within :func:`forward_only`.

    Args:
        runner (Runner): Whose model to run.
        batch (Any): As a data loader gives it; it is left as it is, since
            preprocessors work on copies of the samples.
        expected (bool): As in :func:`capture_per_image_losses`. Defaults to
            False.
    """
    model: Any = unwrap(runner.model)
    data = model.data_preprocessor(batch, training=True)
    with capture_per_image_losses(model, expected=expected) as captured:
        model(**data, mode='loss')
    return captured


@contextmanager
def preserved_random_state() -> Iterator[None]:
    """Give Python's, NumPy's and torch's generators their state back."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices=devices):
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
