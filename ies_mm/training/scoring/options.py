"""How scoring passes are made, as a user sets it."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from ies_mm.core.arguments import check_integer


@dataclass(frozen=True)
class ScoringOptions:
    """The ``scoring`` argument of a hook; see :class:`SelectionHook`.

    Args:
        batch_size (int, optional): Images per forward pass. Defaults to None,
            the training's batch size.
        interval (int, optional): Epochs between two passes over all images.
            Defaults to None, see :func:`interval_of`.
        pipeline (list of dict, optional): The transforms of such passes.
            Defaults to None, see :func:`scoring_pipelines`.

    Raises:
        TypeError: An option is of the wrong type.
        ValueError: An option is out of range.
    """

    batch_size: int | None = None
    interval: int | None = None
    pipeline: list | None = None

    def __post_init__(self) -> None:
        for name in ('batch_size', 'interval'):
            value = getattr(self, name)
            if value is not None:
                check_integer(f'scoring.{name}', value, 1)
        if not isinstance(self.pipeline, list | None):
            raise TypeError(
                'scoring.pipeline must be a list of transforms, found '
                f'{type(self.pipeline).__name__}'
            )

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> 'ScoringOptions':
        """The options of a config.

        Args:
            given (mapping, optional): Option -> value. None for the defaults.

        Raises:
            TypeError: It is no mapping, or has an unknown option.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(given, Mapping | None):
            raise TypeError(
                f'scoring={given!r}: give a dict with {", ".join(names)}'
            )
        for name in given or ():
            if name not in names:
                raise TypeError(
                    f'scoring has no option {name!r}; it takes '
                    f'{", ".join(names)}'
                )
        return cls(**(given or {}))

    def plain(self) -> dict[str, int]:
        """What is set, for a checkpoint.

        Without the pipeline, which is as long as a config and whose types
        need not be plain.
        """
        given = dict(batch_size=self.batch_size, interval=self.interval)
        return {name: v for name, v in given.items() if v is not None}
