"""Statistics of training steps: gradients, losses, images."""

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
    """Sums over the steps since the end of the last epoch.

    Attributes:
        steps (float): Number of optimizer steps with a finite gradient norm.
        norms (float): Sum of these norms.
        non_finite (float): Number of steps with a non-finite norm.
        images (float): Number of backpropagated images.
        losses (float): Sum of batch losses, each times its number of images.
    """

    steps: float = 0.0
    norms: float = 0.0
    non_finite: float = 0.0
    images: float = 0.0
    losses: float = 0.0


class TrainingSteps:
    """Accumulates statistics of steps without waiting for the device.

    Reads the gradient at the optimizer step: that of the mean loss over all
    accumulated batches, averaged over processes, before clipping and without
    the loss scale of mixed precision. If several optimizers step in an
    iteration, their gradients form one.
    """

    def __init__(self) -> None:
        self._scope = ExitStack()
        self._sums = Sums()
        self._images = 0
        self._squares: dict[int, Tensor] = {}
        self._norms: list[Tensor] = []
        self._losses: list[Tensor] = []

    def watch(self, runner: Runner) -> None:
        """Start recording the steps of a training run.

        Args:
            runner (Runner): The runner, at the start of training.
        """

        def train_step(
            original: Callable, data: Any, *args: Any, **kwargs: Any
        ) -> Any:
            self._images += images_of(data)
            return original(data, *args, **kwargs)

        # Below a selection hook's own train_step, so that only the images it
        # chose are counted.
        self._scope.enter_context(
            override(runner.model, 'train_step', Replacement(train_step))
        )
        for number, wrapper in enumerate(optim_wrappers(runner.optim_wrapper)):
            self._watch_optimiser(number, wrapper)

    def close(self) -> None:
        """Restore model and optimizer wrappers."""
        self._scope.close()

    def end_iteration(self, outputs: Any) -> None:
        """Complete an iteration.

        Args:
            outputs (Any): The result of ``train_step``; if it is a dict, its
                'loss' is used.
        """
        self._end_step()
        loss = outputs.get('loss') if isinstance(outputs, Mapping) else None
        if loss is not None and self._images:
            # The logged loss has its graph, which this list would keep alive.
            self._losses.append(torch.as_tensor(loss).detach() * self._images)
        self._sums.images += self._images
        self._images = 0

    def sums(self) -> Sums:
        """The sums of this process so far."""
        sums = self._sums
        for value in _numbers(self._norms):
            finite = value < float('inf')  # False for NaN
            sums.steps += finite
            sums.norms += value if finite else 0.0
            sums.non_finite += not finite
        sums.losses += sum(_numbers(self._losses))
        self._norms, self._losses = [], []
        return sums

    def take(self) -> Sums:
        """The sums over all processes; resets them.

        A step has the same gradient in every process, so steps are counted
        once.
        """
        sums, self._sums = self.sums(), Sums()
        # In float64 the counts stay exact.
        values = torch.tensor(astuple(sums), dtype=torch.float64)
        dist.all_reduce(values)
        # Steps, norms and non_finite: the first three fields of Sums.
        values[:3] /= dist.get_world_size()
        return Sums(*values.tolist())

    def go_on_with(self, sums: Sums) -> None:
        """Continue from the sums of an earlier start of the run."""
        self._sums = sums

    def _watch_optimiser(self, number: int, wrapper: OptimWrapper) -> None:
        def step(original: Callable, *args: Any, **kwargs: Any) -> Any:
            self._note(number, wrapper)
            return original(*args, **kwargs)

        self._scope.enter_context(override(wrapper, 'step', step))

    def _note(self, number: int, wrapper: OptimWrapper) -> None:
        if number in self._squares:  # Its second step in this iteration.
            self._end_step()
        gradients = [
            parameter.grad
            for group in wrapper.optimizer.param_groups
            for parameter in group['params']
            if parameter.grad is not None
        ]
        if gradients:
            # AmpOptimWrapper unscales gradients only within its step.
            scaled = norm(gradients) / _loss_scale(wrapper, gradients[0])
            self._squares[number] = scaled**2

    def _end_step(self) -> None:
        if self._squares:
            squares = torch.stack([*self._squares.values()])
            self._norms.append(squares.sum().sqrt())
            self._squares.clear()


def images_of(data: Any) -> int:
    """Number of images in a batch from MMEngine's collate functions.

    Args:
        data (Any): A dict with data samples or inputs, or a tuple that starts
            with inputs.
    """
    part: Any = data
    if isinstance(data, Mapping):
        part = data.get('data_samples')
        part = data.get('inputs') if part is None else part
    else:
        part = data[0]
    while isinstance(part, Mapping):  # Several branches of the same images.
        part = next(iter(part.values()))
    return len(part)


def _loss_scale(wrapper: OptimWrapper, like: Tensor) -> Tensor | float:
    """The loss scale of mixed precision, without waiting for the device."""
    if not isinstance(wrapper, AmpOptimWrapper):
        return 1.0
    # get_scale() would read the value back, and so wait.
    one = torch.ones((), dtype=torch.float32, device=like.device)
    return wrapper.loss_scaler.scale(one)


def _numbers(scalars: list[Tensor]) -> list[float]:
    return torch.stack(scalars).double().tolist() if scalars else []
