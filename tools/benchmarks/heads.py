"""The cost of capturing for dense and query heads, in training steps."""

import logging
from typing import Any

from coverage_checks.data import SIZES, prepared
from coverage_checks.listed import families
from coverage_checks.reduce import build, load

from benchmarks.steps import HEADER, bench

HEADS = ('FCOS', 'ATSS', 'YOLOX', 'RTMDet', 'DETR')
"""Families of docs/coverage.md."""


def bench_heads(pairs: int) -> None:
    """Print a table: 16 images of 128x96."""
    # A model logs how each of its weights is initialised.
    logging.disable(logging.INFO)
    print(HEADER)
    for name in HEADS:
        bench(name, *shipped(name), pairs)


def shipped(name: str, images: int = 16) -> tuple[Any, dict]:
    """A detector shipped with mmdet, with fewer queries and small images.

    Args:
        name (str): A family of docs/coverage.md.
        images (int): Batch size. Defaults to 16.
    """
    family = next(row for row in families('mmdet') if row.name == name)
    cfg = load(family)
    model: Any = build(cfg, family)
    sizes = SIZES['mmdet'][0] * (images // 2)
    return model, prepared(model, cfg, 'mmdet', sizes)
