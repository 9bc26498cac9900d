"""Losses with less noise, before differences are taken of them."""

import torch
from torch import Tensor

from ies_mm.core.arguments import check_flag, check_number


class Denoiser:
    r"""Takes the data set's common movement out, and smooths what is left.

    With ``center`` the median step of all observed instances since each
    one's last observation is added up to a common curve :math:`c(t)`, and
    :math:`L_i(t) - c(t)` is left: what moves all images alike (a new learning
    rate, the weights of the day) is no news of any one of them.

    With ``smooth`` = a the exponential average
    :math:`S_i(t) = a L_i(t) + (1 - a) S_i(t-1)` takes the loss's place.

    An observation that is NaN or infinite passes as it is and leaves no
    trace. With both off everything passes as it is.

    Args:
        center (bool): Whether to take the common movement out. Defaults to
            False.
        smooth (float): a, above 0 to 1. Defaults to 1, no smoothing.
    """

    def __init__(self, center: bool = False, smooth: float = 1.0) -> None:
        check_flag('center', center)
        check_number('smooth', smooth, 0, 1)
        if smooth == 0:
            raise ValueError('smooth=0: give a number above 0')
        self.center = center
        self.smooth = smooth
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.common = torch.zeros(0)
        self.last = torch.zeros(0, 0)
        self.average = torch.zeros(0, 0)

    def __call__(self, ids: Tensor, losses: Tensor, instances: int) -> Tensor:
        """An epoch's observations.

        Args:
            ids (Tensor): int64 (M,), instances, each once.
            losses (Tensor): float32 (M, T).
            instances (int): Number of instances N.

        Returns:
            Tensor: float32 (M, T).
        """
        good = torch.isfinite(losses).all(dim=1)
        out = losses.clone()
        if self.center:
            out[good] = self._centered(ids[good], losses[good], instances)
        if self.smooth < 1:
            out[good] = self._smoothed(ids[good], out[good], instances)
        return out

    def _centered(self, ids: Tensor, losses: Tensor, instances: int) -> Tensor:
        if not len(self.last):
            self.common = losses.new_zeros(losses.shape[1])
            self.last = losses.new_full(
                (instances, len(self.common)), torch.nan
            )
        # In what is left of each; the last ones already are without their c.
        ahead = losses - self.common - self.last[ids]
        known = ahead[~ahead.isnan().any(dim=1)]
        if len(known):
            self.common = self.common + known.median(dim=0).values
        self.last[ids] = losses - self.common
        return self.last[ids]

    def _smoothed(self, ids: Tensor, losses: Tensor, instances: int) -> Tensor:
        if not len(self.average):
            shape = (instances, losses.shape[1])
            self.average = losses.new_full(shape, torch.nan)
        old = self.average[ids]
        mixed = self.smooth * losses + (1 - self.smooth) * old
        self.average[ids] = torch.where(old.isnan(), losses, mixed)
        return self.average[ids]

    def state_dict(self) -> dict[str, Tensor]:
        """Three tensors, empty where nothing is needed."""
        return {
            'common': self.common,
            'last': self.last,
            'average': self.average,
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take over what :meth:`state_dict` gave."""
        for name in ('common', 'last', 'average'):
            setattr(self, name, state[name].cpu())
