"""The small Faster R-CNN on BCCD, evaluated on platelets and cells."""

_base_ = '../faster_rcnn_r18_bccd.py'

custom_imports = dict(imports=['ies_mm.engine'], allow_failed_imports=False)
groups = dict(cells=['RBC', 'WBC'], platelets=['Platelets'])
val_evaluator = [
    dict(type='VOCMetric', metric='mAP', eval_mode='11points'),
    dict(type='GroupMetric', groups=groups),
]
test_evaluator = val_evaluator
