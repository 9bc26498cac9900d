"""Forward passes without side effects on the training.

Which images are scored, and when, is decided in ``core/rechecks.py`` and
``training/hook/observing.py``.
"""

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
from ies_mm.training.data.shown_images import batch_instances
from ies_mm.training.loop.optimisers import optim_context
from ies_mm.training.scoring.held_layers import is_held
from ies_mm.training.scoring.received_images import Given

RESIZE = 'BatchSyncRandomResize'
"""Resizes training batches to a size that changes now and then."""


@contextmanager
def forward_only(runner: Runner, hold: bool = True) -> Iterator[None]:
    """Training mode without gradients and without side effects.

    Every module keeps its training-time mode, including those that a hook set
    to evaluation; if the whole model is in evaluation mode, it is set to
    training first. Modes, buffers, attributes and random state are restored
    afterwards. Batches keep the size given by the pipeline:
    ``BatchSyncRandomResize`` is disabled.

    Args:
        runner (Runner): The runner with the model.
        hold (bool): Whether to set layers that draw at random or keep
            statistics to evaluation mode; see
            :mod:`ies_mm.training.scoring.held_layers`. Defaults to True.
    """
    model = runner.model
    # Including those that a detector hides, such as its teacher.
    modules = [p for p in parts_of(model) if isinstance(p, nn.Module)]
    modes = [(module, module.training) for module in modules]
    if not model.training:
        # Respects the overrides of backbones that keep their statistics.
        model.train()
    for module, _ in modes if hold else ():
        # Not eval(), which would also reach the layers inside.
        module.training = module.training and not is_held(module)
    try:
        # Some losses update their state even without gradients.
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
    """Preprocess a batch for the model, without changing the loader's.

    Args:
        runner (Runner): The runner with the model.
        batch (Any): As returned by a data loader.
    """
    model: Any = unwrap(runner.model)
    # Processes with unequal numbers of batches must not wait for each other.
    with one_process():
        return model.data_preprocessor(batch, training=True)


def score(runner: Runner, data: Any, fallback: bool = False) -> CapturedLosses:
    """Per-image losses of a batch; call it within :func:`forward_only`.

    Args:
        runner (Runner): The runner with the model.
        data (Any): A :func:`preprocessed` batch.
        fallback (bool): See :func:`capture_per_image_losses`. Defaults to
            False.

    Returns:
        CapturedLosses: In the order of ``data``.
    """
    # DDP's own forward may synchronise buffers, waiting for processes that
    # have no batch left.
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
    """Keep batches at the size made by the pipeline.

    A size drawn for some iterations of the training would differ between
    passes and between processes.
    """

    def as_it_is(original: Callable, inputs: Any, samples: Any) -> Any:
        return inputs, samples

    with ExitStack() as stack:
        for module in modules:
            # By name, since mmdet need not be installed.
            if any(kind.__name__ == RESIZE for kind in type(module).__mro__):
                stack.enter_context(override(module, 'forward', as_it_is))
        yield
