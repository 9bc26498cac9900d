"""Models that train on something other than what their heads compute."""

from collections.abc import Callable
from typing import Any

import torch
from mmengine.runner import Runner
from torch import Tensor, nn


def scaled(original: Callable, factor: float) -> Callable:
    def loss(*args: Any, **kwargs: Any) -> dict:
        losses = original(*args, **kwargs)
        return {term: value * factor for term, value in losses.items()}

    return loss


def scaling(runner: Runner) -> None:
    """The model's loss is a tenth of its head's."""
    runner.model.loss = scaled(runner.model.loss, 0.1)


def asking_twice(runner: Runner) -> None:
    """R-Drop: a head is called twice, and both losses are added."""
    model: Any = runner.model

    def loss(inputs: Tensor, samples: list) -> dict:
        feats = model.extract_feat(inputs)
        first, second = (model.head.loss(feats, samples) for _ in range(2))
        return {'loss': first['loss'] + second['loss']}

    model.loss = loss


def adding_in_forward(runner: Runner) -> None:
    """Weight decay as a separate term."""
    model: Any = runner.model
    original = model.forward

    def forward(*args: Any, mode: str = 'tensor', **kwargs: Any) -> Any:
        result = original(*args, mode=mode, **kwargs)
        if mode == 'loss':
            penalty = next(model.parameters()).square().sum()
            result['loss_penalty'] = penalty
        return result

    model.forward = forward


def scaling_in_forward(runner: Runner) -> None:
    model: Any = runner.model
    original = model.forward

    def forward(*args: Any, mode: str = 'tensor', **kwargs: Any) -> Any:
        result = original(*args, mode=mode, **kwargs)
        return {k: v * 2 for k, v in result.items()} if mode == 'loss' else 0

    model.forward = forward


def adding_in_parse_losses(runner: Runner) -> None:
    model: Any = runner.model
    original = model.parse_losses

    def parse_losses(losses: dict) -> Any:
        total, variables = original(losses)
        return total + next(model.parameters()).square().sum(), variables

    model.parse_losses = parse_losses


def adding_in_a_hook(runner: Runner) -> None:
    """A forward hook of the model, as distillation is often written."""

    def more(model: nn.Module, inputs: Any, output: Any) -> Any:
        return output | {'loss_kd': torch.ones(())}

    runner.model.register_forward_hook(more)


def stepping(runner: Runner, step: Callable) -> None:
    """The model's own training step."""
    model: Any = runner.model

    def train_step(data: Any, optim_wrapper: Any) -> dict:
        with optim_wrapper.optim_context(model):
            data = model.data_preprocessor(data, True)
            losses = model(**data, mode='loss')
        return step(model, losses, optim_wrapper)

    model.train_step = train_step


def adding_in_the_step(runner: Runner) -> None:
    """Weight decay after parse_losses."""

    def step(model: Any, losses: dict, optim_wrapper: Any) -> dict:
        total, variables = model.parse_losses(losses)
        penalty = next(model.parameters()).square().sum()
        optim_wrapper.update_params(total + penalty)
        return variables

    stepping(runner, step)


def scaling_past_parse_losses(runner: Runner) -> None:
    def step(model: Any, losses: dict, optim_wrapper: Any) -> dict:
        total = 3 * losses['loss']
        optim_wrapper.backward(total)
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return {'loss': total.detach()}

    stepping(runner, step)


def scaling_in_the_optimizer_wrapper(runner: Runner) -> None:
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    wrapper: Any = runner.optim_wrapper
    original = wrapper.update_params
    wrapper.update_params = lambda loss: original(loss * 2)


def stepping_past_everything(runner: Runner) -> None:
    def step(model: Any, losses: dict, optim_wrapper: Any) -> dict:
        (3 * losses['loss']).backward()
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return {'loss': losses['loss'].detach()}

    stepping(runner, step)


FAULTS = {
    scaling: 'loss: the shares of the images add up to .* model returns',
    asking_twice: 'loss: the shares of the images add up to .* returns',
    adding_in_forward: 'ImageClassifier trains on loss_penalty beside',
    scaling_in_forward: 'add up to .* but it trains on',
    adding_in_parse_losses: 'add up to .* but it trains on',
    adding_in_a_hook: 'ImageClassifier trains on loss_kd beside',
    adding_in_the_step: 'add up to .* but it trains on',
    scaling_past_parse_losses: 'add up to .* but it trains on',
    scaling_in_the_optimizer_wrapper: 'add up to .* but it trains on',
    stepping_past_everything: 'train_step hands its loss neither to parse_',
}


def by_keyword(runner: Runner) -> None:
    """``parse_losses`` with an extra argument and other logged values."""
    model: Any = runner.model
    original = model.parse_losses

    def parse_losses(losses: dict, scale: float) -> Any:
        total, variables = original(losses)
        return total, {k: v / scale for k, v in variables.items()}

    def step(model: Any, losses: dict, optim_wrapper: Any) -> dict:
        total, variables = model.parse_losses(losses=losses, scale=10.0)
        optim_wrapper.update_params(loss=total)
        return variables

    model.parse_losses = parse_losses
    stepping(runner, step)


def total_alone(runner: Runner) -> None:
    model: Any = runner.model
    original = model.parse_losses
    model.parse_losses = lambda losses: original(losses)[0]

    def step(model: Any, losses: dict, optim_wrapper: Any) -> dict:
        total = model.parse_losses(losses)
        optim_wrapper.backward(optim_wrapper.scale_loss(total))
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return {'loss': total.detach()}

    stepping(runner, step)


def without_a_wrapper(runner: Runner) -> None:
    def step(model: Any, losses: dict, optim_wrapper: Any) -> dict:
        total, variables = model.parse_losses(losses)
        total.backward()
        optim_wrapper.step()
        optim_wrapper.zero_grad()
        return variables

    stepping(runner, step)


def with_a_metric(runner: Runner) -> None:
    model: Any = runner.model
    original = model.loss
    model.loss = lambda *args, **kwargs: (
        original(*args, **kwargs) | {'accuracy': torch.ones(())}
    )


HARMLESS = (by_keyword, total_alone, without_a_wrapper, with_a_metric)
