"""Public entry point: importing it registers everything that configs use.

List it in a config's ``custom_imports``.
"""

from ies_mm.configuring.preflight import check_config
from ies_mm.dynamics.hook import TrainingDynamicsHook
from ies_mm.groups.celeba import CelebAAttribute
from ies_mm.groups.metric import GroupMetric
from ies_mm.labels.transform import LoadNoisyLabels
from ies_mm.methods.batch_loss_score.hook import BatchLossScoreHook
from ies_mm.methods.dihcl.hook import DIHCLHook
from ies_mm.methods.efficient_train.hook import EfficientTrainHook
from ies_mm.methods.ies.hook import IESHook
from ies_mm.methods.infobatch.hook import InfoBatchHook
from ies_mm.methods.orderdp.hook import OrderDPHook
from ies_mm.methods.per_image_loss.hook import PerImageLossHook
from ies_mm.methods.random_removal.hook import RandomRemovalHook
from ies_mm.methods.selective_backprop.hook import SelectiveBackpropHook
from ies_mm.methods.small_loss_rescale.hook import SmallLossRescaleHook
from ies_mm.methods.soft_ies.hook import SoftIESHook
from ies_mm.training.data.positions import register_wrapper
from ies_mm.training.data.sampler import IESSampler
from ies_mm.training.head_only import HeadOnlyHook

__all__ = [
    'BatchLossScoreHook',
    'CelebAAttribute',
    'DIHCLHook',
    'EfficientTrainHook',
    'GroupMetric',
    'HeadOnlyHook',
    'IESHook',
    'IESSampler',
    'InfoBatchHook',
    'LoadNoisyLabels',
    'OrderDPHook',
    'PerImageLossHook',
    'RandomRemovalHook',
    'SelectiveBackpropHook',
    'SmallLossRescaleHook',
    'SoftIESHook',
    'TrainingDynamicsHook',
    'check_config',
    'register_wrapper',
]
