"""Versions of the libraries that the checked models use."""

from importlib import import_module

_LIBRARIES = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain')


def versions() -> str:
    """The libraries and their versions, in one line."""
    found = [(name, import_module(name).__version__) for name in _LIBRARIES]
    return ', '.join(f'{name} {version}' for name, version in found)
