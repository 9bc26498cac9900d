"""What the steps of a training show: gradients, losses, images."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from typing import Any

import torch
from mmengine import dist
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from mmengine.runner import Runner
from torch import Tensor

from ies_mm.dynamics.landscape import norm
from ies_mm.losses.capture.patching import override
from ies_mm.training.hook.wrapped_step import Replacement
from ies_mm.training.loop.optimisers import optim_wrappers


@dataclass
class Sums:
    """Of the steps since the last epoch ended.

    Attributes:
        steps (float): Optimiser steps whose gradient norm is finite.
        norms (float): Sum of these norms.
        non_finite (float): Steps whose norm is not finite.
        images (float): Images that were backpropagated.
        losses (float): Sum of the batches' losses times their images.
    """

    steps: float = 0.0
    norms: float = 0.0
    non_finite: float = 0.0
    images: float = 0.0
    losses: float = 0.0


class TrainingSteps:
    """Adds up what steps show; nothing waits for the device meanwhile.

    A gradient is read where the optimiser makes its step: that of the mean
    loss of all batches that make one step, averaged over processes, before
    clipping, and without the loss scale of mixed precision. Where several
    optimisers step in an iteration, theirs is one gradient.
    """

    def __init__(self) -> None:
        self._scope = ExitStack()
        self._sums = Sums()
        self._images = 0
        self._squares: dict[int, Tensor] = {}
        self._norms: list[Tensor] = []
        self._losses: list[Tensor] = []

    def watch(self, runner: Runner) -> None:
        """Have the steps of a training be noted.

        Args:
            runner (Runner): At the start of the training.
        """

        def train_step(
            original: Callable, data: Any, *args: Any, **kwargs: Any
        ) -> Any:
            self._images += images_of(data)
            return original(data, *args, **kwargs)

        # Below the step that a selection hook puts in its place, so that
        # the images that it chose are counted.
        self._scope.enter_context(
            override(runner.model, 'train_step', Replacement(train_step))
        )
        for number, wrapper in enumerate(optim_wrappers(runner.optim_wrapper)):
            self._watch_optimiser(number, wrapper)

    def close(self) -> None:
        """Leave model and optimisers as they were."""
        self._scope.close()

    def end_iteration(self, outputs: Any) -> None:
        """Complete an iteration.

        Args:
            outputs (Any): What ``train_step`` returned; of a dict, its
                'loss' is taken.
        """
        self._end_step()
        loss = outputs.get('loss') if isinstance(outputs, Mapping) else None
        if loss is not None and self._images:
            self._losses.append(torch.as_tensor(loss).detach() * self._images)
        self._sums.images += self._images
        self._images = 0

    def sums(self) -> Sums:
        """Those of this process, up to now."""
        sums = self._sums
        for value in _numbers(self._norms):
            finite = value < float('inf')  # which NaN is not
            sums.steps += finite
            sums.norms += value if finite else 0.0
            sums.non_finite += not finite
        sums.losses += sum(_numbers(self._losses))
        self._norms, self._losses = [], []
        return sums

    def take(self) -> Sums:
        """Those of all processes together; they begin anew.

        A step has the same gradient in each of them, so that of steps there
        are as many as in one.
        """
        sums, self._sums = self.sums(), Sums()
        values = torch.tensor(astuple(sums), dtype=torch.float64)
        dist.all_reduce(values)
        values[:3] /= dist.get_world_size()
        return Sums(*values.tolist())

    def go_on_with(self, sums: Sums) -> None:
        """Begin with sums of an earlier start of the run."""
        self._sums = sums

    def _watch_optimiser(self, number: int, wrapper: OptimWrapper) -> None:
        def step(original: Callable, *args: Any, **kwargs: Any) -> Any:
            self._note(number, wrapper)
            return original(*args, **kwargs)

        self._scope.enter_context(override(wrapper, 'step', step))

    def _note(self, number: int, wrapper: OptimWrapper) -> None:
        if number in self._squares:  # its second step in this iteration
            self._end_step()
        gradients = [
            parameter.grad
            for group in wrapper.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None
        ]
        if gradients:
            scaled = norm(gradients) / _loss_scale(wrapper, gradients[0])
            self._squares[number] = scaled**2

    def _end_step(self) -> None:
        if self._squares:
            squares = torch.stack([*self._squares.values()])
            self._norms.append(squares.sum().sqrt())
            self._squares.clear()


def images_of(data: Any) -> int:
    """How many images a batch has, as MMEngine's collate functions make it.

    Args:
        data (Any): A dict with data samples or inputs, or a tuple that begins
            with inputs.
    """
    part: Any = data
    if isinstance(data, Mapping):
        part = data.get('data_samples')
        part = data.get('inputs') if part is None else part
    else:
        part = data[0]
    while isinstance(part, Mapping):  # several branches of the same images
        part = next(iter(part.values()))
    return len(part)


def _loss_scale(wrapper: OptimWrapper, like: Tensor) -> Tensor | float:
    """What mixed precision has multiplied the loss by; no wait for it."""
    if not isinstance(wrapper, AmpOptimWrapper):
        return 1.0
    one = torch.ones((), dtype=torch.float32, device=like.device)
    return wrapper.loss_scaler.scale(one)


def _numbers(scalars: list[Tensor]) -> list[float]:
    return torch.stack(scalars).double().tolist() if scalars else []
