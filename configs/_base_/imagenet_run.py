"""Length and runtime of the ImageNet trainings: 150 epochs.

Which networks and optimisers: the text of Table 2 has three networks over
four columns, AdamW, AdamW, SGD(M) and SGD(E). It is read as DenseNet-121 and
ResNet-34 with AdamW, ResNet-101 with SGD(M) and SGD(E). Appendix B.4 trains
ResNet-101 with AdamW as well.
"""

_base_ = './cifar_run.py'

train_cfg = dict(max_epochs=150)
