"""Instance-dependent Early Stopping (IES, ICLR 2025) for OpenMMLab.

``core`` is pure tensor maths, ``losses`` turns a model's forward into
per-image losses, ``engine`` is what MMEngine sees, ``report`` writes and
reads what a run leaves behind. Arrows point one way:
``core`` <- ``losses``, ``report`` <- ``engine``.
"""

__version__ = '0.1.0'
