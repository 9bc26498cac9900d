"""Instance-dependent Early Stopping (IES, ICLR 2025) for OpenMMLab.

``core`` is pure tensor maths, ``losses`` turns a model's forward into
per-image losses, ``training`` prunes images in training with MMEngine,
``methods`` choose which ones, ``engine`` is what a config imports, ``report``
writes and reads the records of a run. Imports point one way: ``core`` <-
``losses`` <- ``training`` <- ``methods`` <- ``engine``.
"""

from ies_mm.configs import config_path

__all__ = ['config_path']
__version__ = '0.3.0.dev0'
