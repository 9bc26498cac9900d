"""Fine-tuning configs: the data and model of their base, and one head."""

from mmengine.config import Config

from ies_mm.training.head_only import HeadOnlyHook
from read_configs import CONFIGS, read


def test_only_the_head_of_the_bccd_detector_is_trained() -> None:
    base = read('faster_rcnn_r18_bccd.py').to_dict()
    own = Config.fromfile(
        CONFIGS / 'transfer' / 'faster_rcnn_r18_bccd_head.py'
    ).to_dict()
    assert own['model'] == base['model']
    assert own['val_dataloader'] == base['val_dataloader']
    [hook] = own['custom_hooks']
    assert hook.pop('type') == HeadOnlyHook.__name__
    assert hook['head'] in own['model']
    kinds = [step['type'] for step in own['train_pipeline']]
    whole = [step['type'] for step in base['train_pipeline']]
    assert kinds == [kind for kind in whole if kind != 'RandomFlip']
    dataset = own['train_dataloader']['dataset']
    assert dataset.pop('pipeline') == own['train_pipeline']
    base['train_dataloader']['dataset'].pop('pipeline')
    assert dataset == base['train_dataloader']['dataset']
