"""Transforms that make single images behave as planned."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.registry import TRANSFORMS


@TRANSFORMS.register_module()
class Jitter(BaseTransform):
    """Fills one image with new noise every time."""

    def __init__(self, image: int) -> None:
        self.image = image

    def transform(self, results: dict) -> dict:
        if results['sample_idx'] == self.image:
            results['img'] = np.random.randint(
                0, 256, results['img'].shape, dtype=np.uint8
            )
        return results


@TRANSFORMS.register_module()
class BrokenBox(BaseTransform):
    """Gives one image boxes that are not numbers."""

    def __init__(self, image: int) -> None:
        self.image = image

    def transform(self, results: dict) -> dict:
        if results['sample_idx'] == self.image:
            results['gt_bboxes'].tensor[:] = float('nan')
        return results


@TRANSFORMS.register_module()
class SoftLabel(BaseTransform):
    """Labels as scores, 1.0 for the class; one image has another value."""

    def __init__(self, classes: int, image: int, value: float) -> None:
        self.classes = classes
        self.image = image
        self.value = value

    def transform(self, results: dict) -> dict:
        score = np.zeros(self.classes, dtype=np.float32)
        is_it = results['sample_idx'] == self.image
        score[results['gt_label']] = self.value if is_it else 1.0
        results['gt_score'] = score
        return results


@TRANSFORMS.register_module()
class Refuse(BaseTransform):
    """Returns None for some images, so the dataset fetches another."""

    def __init__(self, images: list[int]) -> None:
        self.images = images

    def transform(self, results: dict) -> Any:
        return None if results['sample_idx'] in self.images else results


@TRANSFORMS.register_module()
class KillWorker(BaseTransform):
    """Kills the process that loads an image, as long as a file exists."""

    def __init__(self, image: int, while_there: str) -> None:
        self.image = image
        self.while_there = while_there

    def transform(self, results: dict) -> dict:
        loads_it = results['sample_idx'] == self.image
        if loads_it and Path(self.while_there).exists():
            os._exit(1)
        return results


@TRANSFORMS.register_module()
class RefuseByChance(BaseTransform):
    """Returns None now and then, like a crop without objects."""

    def __init__(self, prob: float) -> None:
        self.prob = prob

    def transform(self, results: dict) -> dict | None:
        return None if np.random.rand() < self.prob else results


@TRANSFORMS.register_module()
class AsViews(BaseTransform):
    """Packs two views of an image as a dict."""

    def transform(self, results: dict) -> dict:
        return {
            key: dict(weak=value, strong=value)
            for key, value in results.items()
        }


@TRANSFORMS.register_module()
class ReadNowAndThen(BaseTransform):
    """Returns None for some images always, for others every other time."""

    def __init__(self, never: list[int], every_second: list[int]) -> None:
        self.never = never
        self.every_second = every_second
        self.asked: dict[int, int] = {}

    def transform(self, results: dict) -> Any:
        number = results['sample_idx']
        self.asked[number] = self.asked.get(number, 0) + 1
        second = number in self.every_second and self.asked[number] % 2
        return None if number in self.never or second else results
