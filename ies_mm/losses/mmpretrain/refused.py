"""Refused mmpretrain heads, whose images have no loss of their own.

Pruning follows an image's loss from epoch to epoch, so the loss must depend
on the image and its label only. If it contrasts the images of a batch,
standardises over them or uses them as each other's targets, it says as much
about the other images as about this one.
"""

from mmpretrain.models import heads

from ies_mm.losses.capture.registry import refuse_heads

_REASONS = {
    'contrasts the images of the batch with each other': (
        heads.ContrastiveHead,  # SimCLR, MoCo, DenseCL
        heads.MoCoV3Head,
        heads.ITCHead,
        heads.ITMHead,
    ),
    'correlates features over the batch': (
        heads.LatentCrossCorrelationHead,  # Barlow Twins
    ),
    'assigns the images of the batch to clusters of equal size': (
        heads.SwAVHead,
    ),
    'mixes pairs of images of the batch': (heads.MixMIMPretrainHead,),
    'compares two random views, without a label': (
        heads.LatentPredictHead,  # BYOL, SimSiam
    ),
    'reconstructs random patches, without a label': (
        heads.BEiTV1Head,
        heads.BEiTV2Head,
        heads.CAEHead,
        heads.iTPNClipHead,
        heads.MAEPretrainHead,
        heads.MIMHead,
        heads.SimMIMHead,
        heads.SparKPretrainHead,
    ),
    'is of the words of a text': (
        heads.GroundingHead,
        heads.SeqGenerationHead,
        heads.VQAGenerationHead,
    ),
}


for _reason, _heads in _REASONS.items():
    refuse_heads(_reason, *_heads)
