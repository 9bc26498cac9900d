"""The proposals of a batch, given to its images alone.

A convolution rounds differently for one image than for sixteen, and of two
boxes that overlap almost as much as NMS allows, either may be kept. The losses
of an image are then those of other RoIs, although the captured ones are right.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch import nn

from ies_mm.losses.capture.patching import override

_METHOD = 'loss_and_predict'


@contextmanager
def noted(model: nn.Module) -> Iterator[list[Any]]:
    """Note the proposals of each image of a batch.

    Args:
        model (nn.Module): A detector; others have none.
    """
    found: list[Any] = []

    def note(original: Any, *args: Any, **kwargs: Any) -> Any:
        losses, proposals = original(*args, **kwargs)
        # The second stage takes them apart.
        found.extend(proposal.clone() for proposal in proposals)
        return losses, proposals

    with _overridden(model, note):
        yield found


def given(
    model: nn.Module, proposals: list[Any], copies: int
) -> AbstractContextManager[None]:
    """Use these proposals instead of the model's own.

    Args:
        model (nn.Module): The detector.
        proposals (list): Those of an image, empty for a model without.
        copies (int): Number of copies of the image in the batch.
    """

    def give(original: Any, *args: Any, **kwargs: Any) -> Any:
        losses, _ = original(*args, **kwargs)
        return losses, [proposal.clone() for proposal in proposals * copies]

    return _overridden(model, give) if proposals else nullcontext()


def _overridden(model: nn.Module, by: Any) -> AbstractContextManager[None]:
    head = getattr(model, 'rpn_head', None)
    if not hasattr(head, _METHOD):
        return nullcontext()
    return override(head, _METHOD, by)
