"""What the checked models are made of."""

from importlib import import_module

_LIBRARIES = ('torch', 'mmengine', 'mmcv', 'mmdet', 'mmseg', 'mmpretrain')


def versions() -> str:
    """The libraries with their versions, in one line."""
    found = [(name, import_module(name).__version__) for name in _LIBRARIES]
    return ', '.join(f'{name} {version}' for name, version in found)
