"""Re-evaluation of a loss function for every image of its batch.

Correct for any loss function whose arguments can be sliced by image: it is
called as usual, then once more for every image on slices of the same outputs,
with the same initial state and random draws. The function itself determines
the normaliser of the image alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ies_mm.errors import UnsupportedModelError
from ies_mm.losses.capture.patching import override
from ies_mm.losses.capture.processes import one_process
from ies_mm.losses.capture.registry import Note, Wanted
from ies_mm.losses.capture.terms import Terms
from ies_mm.losses.generic.batch_state import BatchState
from ies_mm.losses.generic.draws import draws_again, noted_draws
from ies_mm.losses.generic.portions import (
    Call,
    Slices,
    share_of_images,
    tensors_of,
)
from ies_mm.losses.generic.state import (
    generators_that_drew,
    snapshot,
    state_of,
)
from ies_mm.losses.generic.unchanged import Unchanged


@contextmanager
def asked_by_image(
    owner: nn.Module,
    method: str,
    slices: Slices,
    read: Callable[[Any], Terms],
    want: Wanted,
    note: Note,
    kept: str = '',
) -> Iterator[None]:
    """Record per-image losses whenever ``owner.method`` computes its losses.

    Args:
        owner (nn.Module): The method's owner; its state is restored.
        method (str): Name of the loss function.
        slices (callable): Arguments of a call -> arguments for each image
            alone.
        read (callable): Result of the function -> scalar loss of each term,
            under the model's names.
        want (Wanted): What to provide.
        note (callable): See
            :meth:`~ies_mm.losses.context.CapturedLosses.note`.
        kept (str): A method of the owner whose results for the batch are
            reused for each image: factors that depend on the whole training
            so far. Defaults to '' (none).
    """
    kept_of_batch = BatchState(owner)

    def loss(original: Callable, *args: Any, **kwargs: Any) -> Any:
        call: Call = (args, kwargs)
        # Slice first: the call may write into its lists and samples.
        parts = slices(call)
        kept_of_batch.check(method, len(parts))
        before, unchanged = snapshot(owner), Unchanged(call)
        with (
            _results(owner, kept) as results,
            noted_draws(owner, len(parts)) as draws,
        ):
            result = original(*args, **kwargs)
        unchanged.check(owner, method)
        _check_draws(owner, generators_that_drew(before), len(parts))
        alone: list[Terms] = []
        # Shares come from gradients; without them the images need no graph.
        with torch.set_grad_enabled(want.shares and torch.is_grad_enabled()):
            for image, (own_args, own_kwargs) in enumerate(parts):
                with (
                    one_process(),
                    state_of(before),
                    draws_again(owner, draws, image),
                    _given(owner, kept, results),
                ):
                    alone.append(read(original(*own_args, **own_kwargs)))
        batch = read(result)
        gone = _drop_undefined(alone, batch, [_is_empty(p) for p in parts])
        for term, value in batch.items():
            losses = _of_images(alone, term, value)
            shares = None
            if want.shares:
                shares = share_of_images(value, losses, call, slices, parts)
            missing = _missing(gone, term, losses.device)
            note(term, losses.detach().float(), shares, missing)
        # What the loss function sets on its owner, it has set for every image.
        kept_of_batch.seen()
        return result

    with override(owner, method, loss):
        yield


def _check_draws(owner: nn.Module, drew: list[str], images: int) -> None:
    """Refuse draws that cannot be replayed, unless the batch has one image."""
    if drew and images > 1:
        raise UnsupportedModelError(
            f'no per-image losses for {type(owner).__name__}: it draws from '
            f'a generator of its own ({", ".join(drew)}), and an image alone '
            'would draw other random numbers; draw from torch'
        )


@contextmanager
def _results(owner: nn.Module, method: str) -> Iterator[list[Any]]:
    """Record what a method returns, call by call."""
    results: list[Any] = []

    def noted(original: Callable, *args: Any, **kwargs: Any) -> Any:
        results.append(original(*args, **kwargs))
        return results[-1]

    with override(owner, method, noted) if method else nullcontext():
        yield results


@contextmanager
def _given(
    owner: nn.Module, method: str, results: list[Any]
) -> Iterator[None]:
    """Make a method return the recorded results again, call by call."""
    left = iter(results)

    def again(original: Callable, *args: Any, **kwargs: Any) -> Any:
        return next(left)

    with override(owner, method, again) if method else nullcontext():
        yield


def _is_empty(part: Call) -> bool:
    """Whether the model has no output for an image: no positive RoI, say."""
    outputs = [t for t in tensors_of(part) if t.is_floating_point()]
    return bool(outputs) and not any(output.numel() for output in outputs)


def _drop_undefined(
    alone: list[Terms], batch: Terms, empty: list[bool]
) -> list[set[str]]:
    """Drop the NaN of means over nothing, such as an image's positives.

    Args:
        alone (list): The terms of each image; changed in place.
        batch (dict): Those of the batch.
        empty (list of bool): Whether the model has no output for the image.

    Returns:
        list: For each image, the terms that it does not have.
    """
    # A term that is NaN for the batch, too, has another cause.
    keys = [(i, name) for i, own in enumerate(alone) for name in own]
    keys = [(i, name) for i, name in keys if name in batch]
    undefined = [
        alone[i][name].isnan() & (batch[name].isfinite() | empty[i])
        for i, name in keys
    ]
    # At once, as it waits for the device; a head may have made a zero on the
    # CPU.
    on_one = [flag.to(undefined[0].device) for flag in undefined]
    flags = torch.stack(on_one).tolist() if keys else []
    missing = [
        batch.keys() - own.keys() if is_empty else set()
        for own, is_empty in zip(alone, empty, strict=True)
    ]
    for (i, name), is_undefined in zip(keys, flags, strict=True):
        if is_undefined:
            del alone[i][name]
            missing[i].add(name)
    return missing


def _missing(gone: list[set[str]], term: str, device: Any) -> Tensor | None:
    """bool (N,), the images without a term; None if all have it."""
    found = [term in terms for terms in gone]
    return torch.tensor(found, device=device) if any(found) else None


def _of_images(alone: list[Terms], term: str, like: Tensor) -> Tensor:
    """A term's losses, (N,); zero for images without the term."""
    nothing = torch.zeros_like(like)
    return torch.stack([terms.get(term, nothing) for terms in alone])
