"""The loss terms of a model that a criterion judges."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from ies_mm.core.arguments import check_number

Terms = str | Sequence[str] | Mapping[str, float]
"""``'sum'``, ``'all'``, ``'any'``, term names, or a weight per name."""


def check_terms(terms: object) -> None:
    """Check that a value specifies terms.

    Raises:
        TypeError: It is not a string, sequence or mapping, or a weight is
            not a number.
        ValueError: It is an unknown string, is empty, repeats a name, or its
            weights are negative or all 0.
    """
    if isinstance(terms, str):
        if terms not in ('sum', 'all', 'any'):
            raise ValueError(
                f"terms={terms!r}: give 'sum', 'all', 'any' or a list of "
                'term names'
            )
        return
    if isinstance(terms, Mapping):
        for name, weight in terms.items():
            check_number(f'terms[{name!r}]', weight, 0)
        if terms and not any(terms.values()):
            raise ValueError(f'terms={terms!r}: give a weight above 0')
    elif not isinstance(terms, Sequence):
        raise TypeError(
            f'terms={terms!r}: give a string, a list of names or a dict of '
            'weights'
        )
    if not terms or not all(isinstance(term, str) for term in terms):
        raise ValueError(f'terms={terms!r}: give at least one term name')
    if len({*terms}) < len(terms):
        raise ValueError(
            f'terms={terms!r}: give each name once; to count a term more, '
            'give a dict of weights'
        )


def judged(terms: Terms, values: Tensor, names: Sequence[str]) -> Tensor:
    """Losses of the judged columns.

    Args:
        terms (str, sequence of str or dict): As for :func:`check_terms`.
        values (Tensor): (..., T), losses of all terms.
        names (sequence of str): Names of the T terms.

    Returns:
        Tensor: float64 (..., C).

    Raises:
        ValueError: ``terms`` names a term that is not among ``names``.
    """
    if isinstance(terms, str):
        losses = values.double()
    else:
        losses = values[..., columns(terms, names)].double()
    if terms in ('all', 'any'):
        return losses
    if isinstance(terms, Mapping):
        # The columns are in this order, too: columns() goes through the keys.
        losses = losses * losses.new_tensor(list(terms.values()))
    if losses.shape[-1] == 1:
        return losses
    return losses.sum(dim=-1, keepdim=True)


def width(terms: Terms, names: Sequence[str]) -> int:
    """C, the number of judged columns."""
    return len(names) if terms in ('all', 'any') else 1


def columns(terms: Terms, names: Sequence[str]) -> list[int]:
    """Indices of the judged terms among ``names``.

    Raises:
        ValueError: ``terms`` names a term that is not among them.
    """
    if isinstance(terms, str):
        return list(range(len(names)))
    missing = [term for term in terms if term not in names]
    if missing:
        raise ValueError(
            f'terms={list(terms)}: the model has no term '
            f'{missing[0]!r}; it has {", ".join(names)}'
        )
    return [list(names).index(term) for term in terms]
