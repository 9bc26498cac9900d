"""Shapes, sprites and backgrounds of the generated VOC images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, ...]
Part = tuple[str, str, tuple[float, ...]]  # kind, tint, points in 0..1

OVERSAMPLING = 4
INK = (28, 28, 34)


@dataclass(frozen=True)
class Shape:
    """The look of a class; without `telling`, a confusable distractor."""

    aspect: float  # width over height
    colours: tuple[Colour, ...]
    telling: tuple[Part, ...]  # drawn below the body
    body: tuple[Part, ...]


SHAPES = {
    'bicycle': Shape(
        aspect=1.6,
        colours=((20, 170, 190), (10, 130, 170)),
        telling=(
            ('ring', 'ink', (0.61, 0.38, 1.0, 1.0)),
            ('line', 'ink', (0.6, 0.06, 0.74, 0.1)),
        ),
        body=(
            ('ring', 'ink', (0.0, 0.38, 0.39, 1.0)),
            ('line', 'main', (0.2, 0.69, 0.47, 0.69, 0.68, 0.24)),
            ('line', 'main', (0.2, 0.69, 0.36, 0.28, 0.68, 0.28)),
            ('line', 'main', (0.36, 0.2, 0.47, 0.69)),
            ('line', 'main', (0.66, 0.08, 0.8, 0.69)),
            ('line', 'ink', (0.28, 0.19, 0.44, 0.19)),
        ),
    ),
    'bird': Shape(
        aspect=1.5,
        colours=((245, 205, 40), (230, 180, 20)),
        telling=(
            ('polygon', 'main', (0.0, 0.2, 0.3, 0.45, 0.2, 0.75)),
            ('polygon', 'ink', (0.88, 0.16, 1.0, 0.3, 0.88, 0.4)),
            ('ellipse', 'main', (0.64, 0.02, 0.93, 0.5)),
            ('ellipse', 'ink', (0.79, 0.15, 0.86, 0.26)),
        ),
        body=(
            ('ellipse', 'main', (0.14, 0.3, 0.8, 1.0)),
            ('ellipse', 'dark', (0.24, 0.42, 0.6, 0.74)),
        ),
    ),
    'boat': Shape(
        aspect=1.0,
        colours=((30, 70, 200), (50, 50, 170)),
        telling=(
            ('polygon', 'main', (0.0, 0.72, 1.0, 0.72, 0.82, 1.0, 0.18, 1.0)),
            ('line', 'ink', (0.5, 0.0, 0.5, 0.75)),
        ),
        body=(
            ('polygon', 'light', (0.46, 0.02, 0.46, 0.66, 0.02, 0.66)),
            ('polygon', 'light', (0.55, 0.14, 0.55, 0.66, 0.92, 0.66)),
        ),
    ),
    'bottle': Shape(
        aspect=0.4,
        colours=((30, 150, 60), (60, 170, 40)),
        telling=(
            ('ellipse', 'main', (0.0, 0.24, 1.0, 0.6)),
            ('box', 'main', (0.32, 0.06, 0.68, 0.4)),
            ('box', 'ink', (0.26, 0.0, 0.74, 0.09)),
        ),
        body=(
            ('box', 'main', (0.0, 0.4, 1.0, 1.0)),
            ('box', 'light', (0.1, 0.56, 0.9, 0.84)),
        ),
    ),
    'car': Shape(
        aspect=1.9,
        colours=((210, 35, 35), (185, 20, 60)),
        telling=(
            ('ellipse', 'ink', (0.12, 0.52, 0.38, 1.0)),
            ('ellipse', 'ink', (0.64, 0.52, 0.9, 1.0)),
        ),
        body=(
            ('box', 'main', (0.0, 0.36, 1.0, 0.76)),
            ('polygon', 'main', (0.18, 0.4, 0.32, 0.0, 0.7, 0.0, 0.84, 0.4)),
            ('polygon', 'light', (0.3, 0.36, 0.4, 0.1, 0.5, 0.1, 0.5, 0.36)),
            ('polygon', 'light', (0.6, 0.1, 0.7, 0.36, 0.55, 0.36, 0.55, 0.1)),
        ),
    ),
    'cat': Shape(
        aspect=1.0,
        colours=((150, 75, 160), (170, 80, 130)),
        telling=(
            ('polygon', 'main', (0.06, 0.0, 0.04, 0.55, 0.5, 0.25)),
            ('polygon', 'main', (0.94, 0.0, 0.96, 0.55, 0.5, 0.25)),
        ),
        body=(
            ('ellipse', 'main', (0.0, 0.14, 1.0, 1.0)),
            ('ellipse', 'light', (0.2, 0.38, 0.4, 0.6)),
            ('ellipse', 'light', (0.6, 0.38, 0.8, 0.6)),
            ('ellipse', 'ink', (0.27, 0.4, 0.35, 0.58)),
            ('ellipse', 'ink', (0.65, 0.4, 0.73, 0.58)),
            ('ellipse', 'dark', (0.36, 0.68, 0.64, 0.9)),
        ),
    ),
}


def _blend(colour: Colour, other: Colour, share: float) -> Colour:
    mixed = [a + (b - a) * share for a, b in zip(colour, other, strict=True)]
    return tuple(round(value) for value in mixed)


def _draw(pen: ImageDraw.ImageDraw, part: Part, colour: Colour) -> None:
    kind, _, points = part
    width, height = pen.im.size
    xy = [p * (height if i % 2 else width) for i, p in enumerate(points)]
    stroke = max(1, round(0.09 * height))
    if kind == 'ellipse':
        pen.ellipse(xy, fill=colour)
    elif kind == 'ring':
        pen.ellipse(xy, outline=colour, width=stroke)
    elif kind == 'line':
        pen.line(xy, fill=colour, width=stroke, joint='curve')
    elif kind == 'box':
        pen.rounded_rectangle(xy, radius=0.08 * height, fill=colour)
    else:
        pen.polygon(xy, fill=colour)


def draw_sprite(
    name: str,
    long_side: int,
    rng: np.random.Generator,
    *,
    tilt: float,
    fade: float = 0.0,
    towards: Colour = (0, 0, 0),
    distractor: bool = False,
) -> Image.Image:
    """Draw one object, cropped to its extent, its longer side `long_side`.

    Every colour moves the share `fade` of the way `towards` a colour, which
    lowers the contrast against a background of that colour.
    """
    shape = SHAPES[name]
    main = shape.colours[int(rng.integers(len(shape.colours)))]
    tints = {
        'main': main,
        'dark': _blend(main, (0, 0, 0), 0.45),
        'light': _blend(main, (255, 255, 255), 0.85),
        'ink': INK,
    }
    big = OVERSAMPLING * long_side / max(shape.aspect, 1.0)
    canvas = Image.new('RGBA', (round(big * shape.aspect), round(big)))
    pen = ImageDraw.Draw(canvas)
    for part in shape.body if distractor else shape.telling + shape.body:
        _draw(pen, part, _blend(tints[part[1]], towards, fade))
    return _pose(canvas, long_side, tilt, bool(rng.integers(2)))


def _pose(
    canvas: Image.Image, long_side: int, tilt: float, flip: bool
) -> Image.Image:
    if flip:
        canvas = canvas.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = canvas.rotate(tilt, Image.Resampling.BICUBIC, expand=True)
    cut = turned.crop(turned.getchannel('A').getbbox())
    scale = long_side / max(cut.size)
    size = tuple(max(1, round(side * scale)) for side in cut.size)
    return cut.resize((size[0], size[1]), Image.Resampling.BOX)


def _noise(
    rng: np.random.Generator, size: tuple[int, int], scale: int
) -> NDArray[np.float32]:
    """Smooth noise (H, W, 3) with grains about `scale` pixels wide."""
    width, height = size
    coarse = (3, height // scale + 2, width // scale + 2)
    planes = [
        np.asarray(
            Image.fromarray(plane).resize(size, Image.Resampling.BICUBIC)
        )
        for plane in rng.standard_normal(coarse, dtype=np.float32)
    ]
    return np.stack(planes, axis=-1)


def _wave(
    rng: np.random.Generator, size: tuple[int, int], period: float
) -> NDArray[np.float64]:
    """Stripes (H, W, 1) from -1 to 1 in a random direction."""
    y, x = np.mgrid[: size[1], : size[0]]
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    along = x * np.cos(angle) + y * np.sin(angle)
    wave: NDArray[np.float64] = np.sin(2 * np.pi * along / period + phase)
    return wave[..., None]


def draw_background(
    rng: np.random.Generator, size: tuple[int, int], hard: bool
) -> NDArray[np.float64]:
    """A calm, muted gradient; if `hard`, loud stripes and noise."""
    low, high = (60, 190) if hard else (110, 170)
    hue = 35 if hard else 8
    ends = rng.uniform(low, high, (2, 1)) + rng.normal(0, hue, (2, 3))
    ramp = 0.5 + 0.5 * _wave(rng, size, 2.5 * max(size))
    picture: NDArray[np.float64] = ends[0] + (ends[1] - ends[0]) * ramp
    for scale in (3, 9, 30):
        picture += _noise(rng, size, scale) * (11 if hard else 2.5)
    stripes = rng.uniform(10, 30) if hard else rng.uniform(0, 5)
    picture += stripes * _wave(rng, size, rng.uniform(6, 24))
    return picture
