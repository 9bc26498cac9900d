"""The observations of an epoch as tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Noted:
    """Observations of one epoch, of one rank or of several, on the CPU.

    Attributes:
        ids (Tensor): int64 (S,), the instance of each sample.
        losses (Tensor): float32 (S, T).
        missing (Tensor): bool (S, T), terms that a sample cannot have.
        terms (list of str): Names of the T terms.
        present (list of str): The terms that any batch had.
        unobserved (Tensor): int64, instances trained without a loss of their
            own, once per sample.
    """

    ids: Tensor
    losses: Tensor
    missing: Tensor
    terms: list[str]
    present: list[str]
    unobserved: Tensor

    @property
    def samples(self) -> int:
        """Number of samples that were trained."""
        return len(self.ids) + len(self.unobserved)

    def under(self, terms: Sequence[str]) -> 'Noted':
        """The same with other terms, which include these; new ones are 0.

        Args:
            terms (sequence of str): Names of the terms of the result.
        """
        return replace(
            self,
            losses=ordered(self.losses, self.terms, terms),
            missing=ordered(self.missing, self.terms, terms),
            terms=[*terms],
        )

    @classmethod
    def concatenated(cls, parts: Sequence['Noted']) -> 'Noted':
        """The samples of all parts, under the terms of all.

        Args:
            parts (sequence of Noted): At least one.
        """
        terms = list(dict.fromkeys(t for part in parts for t in part.terms))
        parts = [part.under(terms) for part in parts]
        return cls(
            torch.cat([part.ids for part in parts]),
            torch.cat([part.losses for part in parts]),
            torch.cat([part.missing for part in parts]),
            terms,
            sorted({name for part in parts for name in part.present}),
            torch.cat([part.unobserved for part in parts]),
        )

    def plain(self) -> tuple:
        """As a tuple, for a checkpoint."""
        return tuple(getattr(self, field.name) for field in fields(self))

    @classmethod
    def of(cls, plain: tuple, names: list[str]) -> 'Noted':
        """From :meth:`plain`, also of earlier versions, which wrote less.

        Args:
            plain (tuple): ids, losses and missing, followed by what the
                version wrote of the others.
            names (list of str): Terms of the run, if it did not write them.
        """
        ids, losses, missing, *rest = plain
        nothing = torch.zeros(0, dtype=torch.long)
        unknown: list[Any] = [names, names, nothing]
        terms, present, unobserved = [*rest, *unknown[len(rest) :]]
        return cls(
            ids,
            losses,
            missing,
            [*terms],
            # The default would claim terms that no sample has.
            [*present] if len(ids) else [],
            unobserved,
        )


def ordered(
    values: Tensor, terms: Sequence[str], wanted: Sequence[str]
) -> Tensor:
    """Rearrange columns to another list of terms; new columns are zero.

    Args:
        values (Tensor): (samples, terms).
        terms (sequence of str): Terms of its columns.
        wanted (sequence of str): Terms of the result, including ``terms``.
    """
    if [*terms] == [*wanted]:
        return values
    found = values.new_zeros(len(values), len(wanted))
    found[:, [wanted.index(term) for term in terms]] = values
    return found
