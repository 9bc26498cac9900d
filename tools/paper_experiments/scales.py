"""The two scales of every experiment: the paper's, and a small one."""

from paper_experiments.paper_scale import PAPER
from paper_experiments.small_scale import SMALL

SCALES = {scale.name: scale for scale in (SMALL, PAPER)}
