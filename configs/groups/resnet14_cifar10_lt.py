"""The long-tailed training, evaluated on head, middle and tail classes."""

_base_ = '../cifar/resnet14_cifar10_lt.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
groups = dict(
    head=['airplane', 'automobile', 'bird'],
    middle=['cat', 'deer', 'dog', 'frog'],
    tail=['horse', 'ship', 'truck'],
)
val_evaluator = [
    dict(type='Accuracy', topk=(1,)),
    dict(type='GroupMetric', groups=groups),
]
test_evaluator = val_evaluator
