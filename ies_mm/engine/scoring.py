"""Forward passes that leave no trace in the training."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import torch
from mmengine.runner import Runner

from ies_mm.losses import (
    CapturedLosses,
    Scoring,
    capture_per_image_losses,
)
from ies_mm.losses.base import unwrap
from ies_mm.losses.random_state import preserved_random_state
from ies_mm.losses.registry import PLAIN_SCORING


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
    runner: Runner, batch: Any, scoring: Scoring = PLAIN_SCORING
) -> CapturedLosses:
    """Per-image losses of a batch; to be called within :func:`forward_only`.

    Args:
        runner (Runner): Whose model to run.
        batch (Any): As a data loader gives it; it is left as it is, since
            preprocessors work on copies of the samples.
        scoring (Scoring): How. Defaults to ``PLAIN_SCORING``.
    """
    model: Any = unwrap(runner.model)
    data = model.data_preprocessor(batch, training=True)
    with capture_per_image_losses(model, **asdict(scoring)) as captured:
        model(**data, mode='loss')
    return captured
