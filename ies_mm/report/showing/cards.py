"""The gallery of a method: some of its images, one card each."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ies_mm.report.comparing.notes import Comparison
from ies_mm.report.names import file_of
from ies_mm.report.reading.annotations import Annotations
from ies_mm.report.reading.run_instances import (
    Instances,
    read_instances,
    times_reincluded,
)
from ies_mm.report.reading.runs import Run
from ies_mm.report.showing.gallery import shelves
from ies_mm.report.showing.pictures import data_uri, drawn, loss_curve


@dataclass(frozen=True)
class Card:
    """An image.

    Attributes:
        name (str): Path relative to the folder that all images share.
        facts (str): How it was pruned and re-included, and its last loss.
        classes (list of str): Distinct classes of its objects, if known.
        first (int, optional): The first epoch that pruned it, if known.
        picture (str, optional): The image; None if its file is gone.
        curve (str, optional): Its loss over epochs, with the epochs in which
            it was pruned; None without any loss.
    """

    name: str
    facts: str
    classes: list[str]
    first: int | None
    picture: str | None
    curve: str | None


@dataclass(frozen=True)
class Section:
    """Cards under headings, with remarks."""

    label: str
    origin: str
    remarks: list[str]
    shelves: list[tuple[str, list[Card]]]

    @property
    def classes(self) -> list[str]:
        """All classes on its cards."""
        return sorted({name for card in self.cards for name in card.classes})

    @property
    def dated(self) -> bool:
        """Whether it is known when some card's image was first pruned."""
        return any(card.first is not None for card in self.cards)

    @property
    def pictured(self) -> bool:
        """Whether some card has a picture."""
        return any(card.picture is not None for card in self.cards)

    @property
    def curved(self) -> bool:
        """Whether some card has a loss."""
        return any(card.curve is not None for card in self.cards)

    @property
    def cards(self) -> list[Card]:
        """All cards."""
        return [card for _, cards in self.shelves for card in cards]


def sections_of(comparison: Comparison) -> Iterator[Section]:
    """Yield a gallery for the first run of each group that selects images."""
    for row in comparison.rows:
        run = row.group.runs[0]
        if run.selected:
            yield _section(row.group.label, run, read_instances(run))


def _section(label: str, run: Run, instances: Instances | None) -> Section:
    origin = f'Run {run.work_dir}'
    if run.seed is not None:
        origin += f', seed {run.seed}'
    if instances is None:
        return Section(label, origin, ['No per-image records were kept.'], [])
    terms = ' + '.join(instances.terms) or 'not recorded'
    origin += f'; loss: {terms}'
    shared = _shared_folder(instances.names)
    annotations = Annotations(run.config)
    titled = [
        (
            shelf.title,
            [
                _card(instances, image, shared, annotations)
                for image in shelf.images
            ],
        )
        for shelf in shelves(instances)
    ]
    cards = [card for _, found in titled for card in found]
    remarks = [*_remarks(run, instances), *_missing(cards)]
    return Section(label, origin, remarks, titled)


def _remarks(run: Run, instances: Instances) -> Iterator[str]:
    if not instances.from_the_start:
        first, last = instances.epochs[[0, -1]]
        kept = f'epochs {first} to {last} were'
        if first == last:
            kept = f'epoch {last} was'
        yield (
            f'Only {kept} kept for single images (keep_history=False): '
            'what was pruned before is unknown here. Train with '
            'keep_history=True to see the whole run.'
        )
    if run.dry_run:
        yield (
            'A dry run prunes nothing. The curves show how many images '
            'were mastered; which ones is not recorded.'
        )
    elif not instances.excluded.any():
        yield 'Nothing was pruned in the epochs that were kept.'


def _missing(cards: list[Card]) -> Iterator[str]:
    missing = sum(card.picture is None for card in cards)
    if missing:
        yield (
            f'{missing} of {len(cards)} image files '
            f'{"was" if missing == 1 else "were"} not found from the folder '
            'in which this page was created.'
        )


def _card(
    instances: Instances, image: int, shared: str, annotations: Annotations
) -> Card:
    path = instances.names[image]
    file = file_of(path)
    annotation = annotations.of(file)
    picture = drawn(file, annotation)
    observed = np.isfinite(instances.losses[:, image]).any()
    return Card(
        name=path.removeprefix(shared).lstrip('/'),
        facts=_facts(instances, image),
        classes=sorted(set(annotation.labels)) if annotation else [],
        first=_first_out(instances, image),
        picture=data_uri(picture, 'jpeg') if picture else None,
        curve=data_uri(loss_curve(instances, image)) if observed else None,
    )


def _shared_folder(paths: Sequence[str]) -> str:
    """The deepest folder that contains all images; may be empty."""
    folders = {os.path.dirname(path) for path in paths}  # noqa: PTH120
    try:
        return os.path.commonpath(folders)
    except ValueError:  # absolute and relative ones
        return ''


def _facts(instances: Instances, image: int) -> str:
    out = instances.excluded[:, image]
    losses = instances.losses[:, image]
    seen = losses[np.isfinite(losses)]
    loss = f'last loss {seen[-1]:#.3g}' if len(seen) else 'no loss recorded'
    if not out.any():
        return f'trained in every epoch, {loss}'
    back = int(times_reincluded(instances.excluded)[image])
    epoch = _first_out(instances, image)
    first = '' if epoch is None else f'first in epoch {epoch}, '
    times = {0: 'never', 1: 'once'}.get(back, f'{back} times')
    return (
        f'pruned in {out.sum()} of {len(out)} epochs, {first}'
        f're-included {times}, {loss}'
    )


def _first_out(instances: Instances, image: int) -> int | None:
    out = instances.excluded[:, image]
    if not instances.from_the_start or not out.any():
        return None
    return int(instances.epochs[out.argmax()])
