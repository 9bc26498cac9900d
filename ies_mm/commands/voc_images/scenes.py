"""Scenes of the generated VOC images: their objects and what is visible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ies_mm.commands.voc_images.shapes import (
    SHAPES,
    draw_background,
    draw_sprite,
)

CLASSES = tuple(SHAPES)
LANDSCAPE = (160, 120)
MIN_SIDE = 6
MIN_VISIBLE = 0.3

Box = tuple[int, int, int, int]
Instances = NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """A sprite in a scene; without a name it is only a distractor."""

    name: str | None
    sprite: Image.Image
    left: int
    top: int

    @property
    def solid(self) -> NDArray[np.bool_]:
        """Which pixels of the sprite count as the object."""
        return np.asarray(self.sprite.getchannel('A')) >= 128


@dataclass(frozen=True)
class Seen:
    """The visible part of an object; the box counts pixels from 1."""

    name: str
    box: Box
    share: float

    @property
    def difficult(self) -> bool:
        """Whether most of it is hidden."""
        return self.share < 0.45


@dataclass(frozen=True)
class Scene:
    """A picture and all its annotations."""

    picture: Image.Image
    instances: Instances  # 0, or 1 + the position in `objects`
    objects: list[Seen]
    hard: bool


def stamp(items: list[Item], size: tuple[int, int]) -> Instances:
    """Paint each item as 1 + its position, later ones in front."""
    canvas = Image.new('L', size)
    for number, item in enumerate(items, start=1):
        shape = Image.fromarray(item.solid)
        canvas.paste(number, (item.left, item.top), shape)
    return np.asarray(canvas)


def look(item: Item, pixels: NDArray[np.bool_]) -> Seen | None:
    """Describe a named item by its visible `pixels`; None if too few."""
    share = float(pixels.sum() / item.solid.sum())
    if item.name is None or share < MIN_VISIBLE:
        return None
    ys, xs = np.nonzero(pixels)
    left, top = int(xs.min()) + 1, int(ys.min()) + 1
    right, bottom = int(xs.max()) + 1, int(ys.max()) + 1
    if min(right - left, bottom - top) + 1 < MIN_SIDE:
        return None
    return Seen(item.name, (left, top, right, bottom), share)


def settle(
    items: list[Item], size: tuple[int, int]
) -> tuple[list[Item], Instances, list[Seen]]:
    """Remove hidden objects; return the rest, their map, and what is seen."""
    while True:
        stamped = stamp(items, size)
        seen = [look(it, stamped == n) for n, it in enumerate(items, start=1)]
        kept = [
            item
            for item, what in zip(items, seen, strict=True)
            if what is not None or item.name is None
        ]
        if len(kept) == len(items):
            break
        items = kept  # what they hid may be visible now: look again
    objects = [what for what in seen if what is not None]
    numbers = np.cumsum([what is not None for what in seen])
    named = [n if w else 0 for n, w in zip(numbers, seen, strict=True)]
    return items, np.array([0, *named], np.uint8)[stamped], objects


def easy_items(
    rng: np.random.Generator, size: tuple[int, int], first: str
) -> list[Item]:
    """One or two large, fully visible objects, each in its own part."""
    names = [first, str(rng.choice(CLASSES))][: int(rng.integers(1, 3))]
    along = int(size[1] > size[0])
    part = list(size)
    part[along] //= len(names)
    items = []
    for number, name in enumerate(names):
        long_side = round(min(part) * rng.uniform(0.6, 0.9))
        sprite = draw_sprite(name, long_side, rng, tilt=rng.uniform(-8, 8))
        room = np.subtract(part, sprite.size)
        corner = rng.integers(0, room + 1)
        corner[along] += number * part[along]
        items.append(Item(name, sprite, int(corner[0]), int(corner[1])))
    return items


def hard_items(
    rng: np.random.Generator,
    size: tuple[int, int],
    first: str,
    towards: tuple[int, ...],
) -> list[Item]:
    """A crowd of small faded objects and distractors that resemble them."""
    names = [first, *(str(name) for name in rng.choice(CLASSES, 8))]
    count, distractors = int(rng.integers(3, 7)), int(rng.integers(2, 5))
    centre = rng.uniform(0.3, 0.7, 2) * size
    items = []
    for number in rng.permutation(count + distractors):
        name, fake = names[number % len(names)], bool(number >= count)
        sprite = draw_sprite(
            name,
            int(rng.integers(16, 42)),
            rng,
            tilt=rng.uniform(-25, 25),
            fade=rng.uniform(0.1, 0.6),
            towards=towards,
            distractor=fake,
        )
        # The centre stays in the picture, so much of the sprite does too.
        middle = np.clip(rng.normal(centre, 0.27 * np.array(size)), 0, size)
        left, top = (middle - np.array(sprite.size) / 2).round().astype(int)
        items.append(Item(None if fake else name, sprite, int(left), int(top)))
    return items


def make_scene(seed: int, index: int) -> Scene:
    """Make scene number `index` (from 0); two in five are hard."""
    rng = np.random.default_rng((seed, index))
    hard = index % 5 in (1, 3)
    size = LANDSCAPE if rng.random() < 0.8 else LANDSCAPE[::-1]
    back = draw_background(rng, size, hard)
    first = CLASSES[index % len(CLASSES)]
    objects: list[Seen] = []
    while all(seen.difficult for seen in objects):  # all may be hidden
        if hard:
            mean = tuple(int(value) for value in back.mean(axis=(0, 1)))
            items = hard_items(rng, size, first, mean)
        else:
            items = easy_items(rng, size, first)
        items, instances, objects = settle(items, size)
    picture = compose(rng, back, items, noise=10 if hard else 3)
    return Scene(picture, instances, objects, hard)


def compose(
    rng: np.random.Generator,
    back: NDArray[np.float64],
    items: list[Item],
    noise: float,
) -> Image.Image:
    """Paste the items onto the background and add camera noise."""
    picture = Image.fromarray(back.clip(0, 255).astype(np.uint8))
    for item in items:
        picture.paste(item.sprite, (item.left, item.top), item.sprite)
    values = np.asarray(picture) + rng.normal(0, noise, back.shape)
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8))
