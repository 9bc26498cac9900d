"""What is not public of the runner, loops, wrappers and loaders.

A test holds each of these for the versions that are installed.
"""

from typing import Any

from mmengine.hooks import CheckpointHook, ParamSchedulerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader


def is_going_to_train(runner: Runner) -> bool:
    """Whether a ``before_run`` is that of a training.

    ``Runner.train`` builds the loop first; ``Runner.train_loop`` would build
    it, and the dataset, for a validation alone too.
    """
    return isinstance(runner._train_loop, BaseLoop)


def set_max_iters(runner: Runner, iterations: int) -> None:
    """Have the training end after so many iterations; it is logged by that.

    The last iteration makes the step that its optimiser wrappers have
    gathered gradients for, however many there are.
    """
    loop: Any = runner.train_loop
    loop._max_iters = iterations
    runner.message_hub.update_info('max_iters', iterations)


def set_max_epochs(runner: Runner, epochs: int) -> None:
    """Have an epoch-based training end after so many epochs."""
    loop: Any = runner.train_loop
    loop._max_epochs = epochs


def gathered_steps(wrapper: OptimWrapper) -> int:
    """Batches whose gradients make one step (``accumulative_counts``)."""
    counts: int = wrapper._accumulative_counts
    return counts


def tell_end(wrapper: OptimWrapper, iterations: int) -> None:
    """Have the last gathered gradients make a step, divided by their number.

    Args:
        wrapper (OptimWrapper): Of the training.
        iterations (int): Of the whole training.
    """
    wrapper._max_counts = iterations
    wrapper._remainder_counts = iterations % gathered_steps(wrapper)


def endless_batches(loader: DataLoader) -> Any:
    """What an iteration-based loop draws its batches from."""
    return _InfiniteDataloaderIterator(loader)


def iterator_of(loader: DataLoader) -> Any:
    """A loader's iterator, if it has persistent workers and has begun."""
    return loader._iterator


def drop_iterator(loader: DataLoader) -> None:
    """Let a loader's persistent workers go."""
    loader._iterator = None


def step_schedulers(hook: ParamSchedulerHook, runner: Runner) -> None:
    """Make one step of the schedulers that count iterations."""
    hook.after_train_iter(runner, runner.iter)


def is_about_to_save(runner: Runner) -> bool:
    """Whether MMEngine saves a checkpoint after this iteration."""
    return any(
        hook.every_n_train_iters(runner, hook.interval, hook.save_begin)
        or (hook.save_last and hook.is_last_train_iter(runner))
        for hook in runner.hooks
        if isinstance(hook, CheckpointHook) and not hook.by_epoch
    )
