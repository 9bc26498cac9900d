_base_ = '../cifar/resnet18_cifar10_sgd_e.py'

default_hooks = dict(
    early_stopping=dict(
        type='EarlyStoppingHook',
        monitor='accuracy/top1',
        rule='greater',
        min_delta=0.0,
        patience=10,
    )
)
