"""Forward passes that leave no trace in the training."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from mmengine.runner import Runner
from torch import nn

from ies_mm.losses import (
    CapturedLosses,
    capture_per_image_losses,
)
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.processes import one_process
from ies_mm.losses.capture.random_state import preserved_random_state
from ies_mm.losses.context import unwrap
from ies_mm.losses.generic.parts import parts_of
from ies_mm.losses.generic.state import snapshot, state_of
from ies_mm.training.data.identity import batch_instances
from ies_mm.training.loop.optimisers import optim_context
from ies_mm.training.scoring.given import Given
from ies_mm.training.scoring.held import is_held

RESIZE = 'BatchSyncRandomResize'
"""Resizes batches of a training to a size that changes now and then."""


@contextmanager
def forward_only(runner: Runner, hold: bool = True) -> Iterator[None]:
    """Training mode without a gradient and without a trace.

    Every module keeps the mode that it is trained in, also one that a hook
    has set to evaluation; a model that is in evaluation as a whole is set to
    training first. Mode, buffers, attributes and random numbers are given
    back. Batches have the size that the pipeline gives: no
    ``BatchSyncRandomResize`` changes it.

    Args:
        runner (Runner): Whose model is going to be run.
        hold (bool): Whether layers that draw at random or keep statistics
            are in evaluation mode, see :mod:`ies_mm.training.scoring.held`.
            Defaults to True.
    """
    model = runner.model
    # Also those that a detector hides, as its teacher.
    modules = [p for p in parts_of(model) if isinstance(p, nn.Module)]
    modes = [(module, module.training) for module in modules]
    if not model.training:
        # With the overrides of backbones that keep their statistics.
        model.train()
    for module, _ in modes if hold else ():
        module.training = module.training and not is_held(module)
    try:
        # Some losses count what they see, also without a gradient.
        with (
            state_of(snapshot(model)),
            _one_size(modules),
            torch.no_grad(),
            optim_context(runner.optim_wrapper, model),
            preserved_random_state(),
        ):
            yield
    finally:
        for module, training in modes:
            module.training = training


def preprocessed(runner: Runner, batch: Any) -> Any:
    """A batch as the model takes it; the loader's is left as it is.

    Args:
        runner (Runner): Whose model to run.
        batch (Any): As a data loader gives it.
    """
    model: Any = unwrap(runner.model)
    # Processes with unequal numbers of batches must not wait for each other.
    with one_process():
        return model.data_preprocessor(batch, training=True)


def score(runner: Runner, data: Any, fallback: bool = False) -> CapturedLosses:
    """Per-image losses of a batch; to be called within :func:`forward_only`.

    Args:
        runner (Runner): Whose model to run.
        data (Any): A batch that is :func:`preprocessed`.
        fallback (bool): See :func:`capture_per_image_losses`. Defaults to
            False.

    Returns:
        CapturedLosses: In the order of ``data``.
    """
    model: Any = unwrap(runner.model)
    given = Given(batch_instances(data))
    with (
        one_process(),
        capture_per_image_losses(model, fallback=fallback) as captured,
        given.noting(model),
    ):
        model(**data, mode='loss')
    return given.in_batch_order(captured)


@contextmanager
def _one_size(modules: list[nn.Module]) -> Iterator[None]:
    """Leave the size of a batch as the pipeline makes it.

    A size that was drawn for some iterations of the training would be
    another one for every pass, and another one on every process.
    """

    def as_it_is(original: Callable, inputs: Any, samples: Any) -> Any:
        return inputs, samples

    with ExitStack() as stack:
        for module in modules:
            # By its name: not every task has mmdet.
            if any(kind.__name__ == RESIZE for kind in type(module).__mro__):
                stack.enter_context(override(module, 'forward', as_it_is))
        yield
