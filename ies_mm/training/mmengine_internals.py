"""Non-public attributes of runners, loops, wrappers and loaders.

A test checks each of them against the installed versions.
"""

from typing import Any

from mmengine.hooks import CheckpointHook, ParamSchedulerHook
from mmengine.optim import OptimWrapper
from mmengine.runner import BaseLoop, Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator
from torch.utils.data import DataLoader


def is_going_to_train(runner: Runner) -> bool:
    """Whether a ``before_run`` belongs to a training run.

    ``Runner.train`` builds the loop first; reading ``Runner.train_loop``
    would build it, and the dataset, even for a mere validation.
    """
    return isinstance(runner._train_loop, BaseLoop)


def set_max_iters(runner: Runner, iterations: int) -> None:
    """Have the training, and its log, end after ``iterations``.

    The last iteration steps with the gradients accumulated so far, however
    many there are.
    """
    loop: Any = runner.train_loop
    loop._max_iters = iterations
    # RuntimeInfoHook notes it just once, before training.
    runner.message_hub.update_info('max_iters', iterations)


def set_max_epochs(runner: Runner, epochs: int) -> None:
    """Have an epoch-based training end after ``epochs``."""
    loop: Any = runner.train_loop
    loop._max_epochs = epochs


def gathered_steps(wrapper: OptimWrapper) -> int:
    """Batches accumulated for one step (``accumulative_counts``)."""
    counts: int = wrapper._accumulative_counts
    return counts


def tell_end(wrapper: OptimWrapper, iterations: int) -> None:
    """Have the last accumulated gradients step, divided by their number.

    Args:
        wrapper (OptimWrapper): An optimiser wrapper of the training.
        iterations (int): Iterations of the whole training.
    """
    wrapper._max_counts = iterations
    wrapper._remainder_counts = iterations % gathered_steps(wrapper)


def endless_batches(loader: DataLoader) -> Any:
    """The iterator from which an iteration-based loop draws batches."""
    return _InfiniteDataloaderIterator(loader)


def iterator_of(loader: DataLoader) -> Any:
    """A loader's iterator, if it has persistent workers and has begun."""
    return loader._iterator


def drop_iterator(loader: DataLoader) -> None:
    """Release a loader's persistent workers."""
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
