"""Length and runtime of the ImageNet trainings: 150 epochs.

Networks and optimisers: Table 2 has three networks over four columns, AdamW,
AdamW, SGD(M) and SGD(E). We read it as DenseNet-121 and ResNet-34 with AdamW,
ResNet-101 with SGD(M) and SGD(E). Appendix B.4 also trains ResNet-101 with
AdamW.
"""

_base_ = './cifar_run.py'

train_cfg = dict(max_epochs=150)
# Appendix B.4 fine-tunes the checkpoint of epoch 100.
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=6))
