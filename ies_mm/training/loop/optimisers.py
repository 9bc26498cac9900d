"""The optimiser wrappers of a training run, whether one or several."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn


def optim_wrappers(wrapper: Any) -> list[OptimWrapper]:
    """The optimiser wrappers in ``wrapper``, one or several.

    Args:
        wrapper (Any): ``runner.optim_wrapper``.
    """
    several = isinstance(wrapper, OptimWrapperDict)
    found = wrapper.values() if several else [wrapper]
    # DeepSpeed's wrapper is not one, and keeps no counts to read or set.
    return [one for one in found if isinstance(one, OptimWrapper)]


@contextmanager
def optim_context(wrapper: Any, model: nn.Module) -> Iterator[None]:
    """The context of the training's forward pass, such as autocast.

    Args:
        wrapper (Any): ``runner.optim_wrapper``. An ``OptimWrapperDict`` has
            no context of its own, but its parts do.
        model (nn.Module): The model.
    """
    several = isinstance(wrapper, OptimWrapperDict)
    with ExitStack() as stack:
        for one in wrapper.values() if several else [wrapper]:
            stack.enter_context(one.optim_context(model))
        yield
