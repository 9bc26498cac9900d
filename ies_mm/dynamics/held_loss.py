"""The loss of a fixed set of images, with all randomness held still."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from ies_mm.dynamics.data_copy import own_copy
from ies_mm.dynamics.landscape import (
    Vector,
    difference_product,
    exact_product,
    taken,
)
from ies_mm.dynamics.second_derivatives import (
    can_be_exact,
    twice_differentiable,
)
from ies_mm.errors import ConfigError
from ies_mm.losses.capture.processes import one_process
from ies_mm.losses.context import unwrap
from ies_mm.losses.generic.state import snapshot, state_of
from ies_mm.training.loop.batches import largest_size
from ies_mm.training.scoring.scoring import forward_only, preprocessed
from ies_mm.training.scoring.seeding import (
    samplers_of,
    seed_all,
    seeded_samplers,
)


class HeldLoss:
    """The training loss of some images as a function of the weights only.

    A :class:`Landscape`, to be used within :meth:`holding`. It is the mean
    over batches of the training's size. BatchNorm and dropout are in
    evaluation mode, and random numbers (augmentation, sampled anchors and
    RoIs, denoising queries) are the same in every evaluation. It is computed
    in single precision: in half precision, rounding would swamp gradient
    differences.

    Args:
        runner (Runner): Has model, optimizer wrapper and training loader.
        images (int): Number of images of the training set to use.
        seed (int): Seed of their choice and of all random numbers.

    Attributes:
        exact (bool): Whether Hessian products are second derivatives rather
            than differences of gradients.

    Raises:
        ConfigError: The model is sharded over processes.
        ConfigError: The training set has fewer images.
        ConfigError: The training set cannot be copied.
    """

    def __init__(self, runner: Runner, images: int, seed: int) -> None:
        self._runner = runner
        self._seed = seed
        _check_whole(runner.model)
        self._model: Any = unwrap(runner.model)
        loader: Any = runner.train_dataloader
        total = len(loader.dataset)
        if images > total:
            raise ConfigError(
                f'TrainingDynamicsHook: images={images}, but the training '
                f'set has {total}; give at most that many'
            )
        # A generator of its own leaves the training's random state alone.
        order = np.random.default_rng(seed).permutation(total)
        self._positions = order[:images].tolist()
        self._batches: list[tuple[int, Any]] = []
        self.exact = can_be_exact(self._model)
        own_copy(loader.dataset)  # Fail now rather than in a later epoch.

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The trainable parameters."""
        return [p for p in self._model.parameters() if p.requires_grad]

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Load the images, and hold everything still.

        Restores weights, gradients, buffers, attributes, module modes and the
        random state on exit.
        """
        runner = self._runner
        device = self.parameters[0].device.type
        with (
            forward_only(runner),
            # forward_only also enters the training's autocast, hence after it.
            torch.autocast(device, enabled=False),
            _without_gradients(self.parameters),
        ):
            self._batches = self._loaded()
            # Every evaluation starts here: some losses count their calls.
            self._state = snapshot(self._model)
            try:
                yield
            finally:
                self._batches, self._state = [], []

    def loss(self) -> float:
        """The mean loss of the images at the current weights."""
        with torch.no_grad():
            return sum(float(loss) for loss in self._parts())

    def gradient(self) -> Vector:
        """Its gradient, detached; zero for unused parameters."""
        # forward_only has switched gradients off.
        with torch.enable_grad():
            for loss in self._parts():
                # torch's checkpointing does not support autograd.grad.
                loss.backward()
        return taken(self.parameters)

    def hessian_product(self, vector: Vector) -> Vector:
        """Its Hessian times a vector, exact where that is possible."""
        if self.exact:
            try:
                return self._exact_product(vector)
            except RuntimeError as error:
                taken(self.parameters)  # Discard partial gradients.
                self.exact = False
                self._runner.logger.warning(
                    'TrainingDynamicsHook: the loss cannot be differentiated '
                    f'twice ({_first_line(error)}); the top eigenvalue is '
                    'computed from gradient differences, see docs/dynamics.md'
                )
        return difference_product(self, vector)

    def _exact_product(self, vector: Vector) -> Vector:
        with torch.enable_grad(), twice_differentiable(self._model):
            return exact_product(self._parts(), self.parameters, vector)

    def _parts(self) -> Iterator[Tensor]:
        """Each batch's contribution to the mean, computed one by one."""
        for number, (images, batch) in enumerate(self._batches):
            share = images / len(self._positions)
            yield share * self._batch_loss(number, images, batch)

    def _batch_loss(self, number: int, images: int, batch: Any) -> Tensor:
        sources = [*samplers_of(self._model)]

        def seed(source: str, image: int) -> None:
            seed_all(self._seed, number, sources.index(source), image)

        seed_all(self._seed, number)
        with (
            state_of(self._state),
            one_process(),
            # How much a RoI sampler draws depends on its proposals, and so on
            # the weights: seeds of its own keep it from shifting other draws.
            seeded_samplers(self._model, [*range(images)], seed),
        ):
            # Preprocessors and heads may modify their input in place.
            data = preprocessed(self._runner, copy.deepcopy(batch))
            return self._objective(data)

    def _objective(self, data: Any) -> Tensor:
        model = self._model
        if isinstance(data, Mapping):
            losses = model(**data, mode='loss')
        else:
            losses = model(*data, mode='loss')
        return model.parse_losses(losses)[0]

    def _loaded(self) -> list[tuple[int, Any]]:
        """The batches as the loader would yield them, with their sizes."""
        loader: Any = self._runner.train_dataloader
        dataset = own_copy(loader.dataset)
        size = largest_size(loader)
        batches = []
        for start in range(0, len(self._positions), size):
            items = []
            for position in self._positions[start : start + size]:
                # Loaded in this process, where seeds act; one for each image,
                # so that its augmentation does not depend on its batch.
                seed_all(self._seed, position)
                items.append(dataset[position])
            batches.append((len(items), loader.collate_fn(items)))
        return batches


@contextmanager
def _without_gradients(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Set gradients aside: gradient accumulation may be in progress."""
    own = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in zip(parameters, own, strict=True):
            parameter.grad = gradient


def _check_whole(model: nn.Module) -> None:
    known = (DataParallel, DistributedDataParallel)
    if is_model_wrapper(model) and not isinstance(model, known):
        raise ConfigError(
            f'TrainingDynamicsHook: the model is wrapped in '
            f'{type(model).__name__}, so no process has all weights; '
            "train with model_wrapper_cfg=dict(type='MMDistributedData"
            "Parallel'), or without this hook"
        )


def _first_line(error: Exception) -> str:
    return str(error).partition('\n')[0]
