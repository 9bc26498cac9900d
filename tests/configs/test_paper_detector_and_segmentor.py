"""The paper's detector and segmentor on VOC."""

from read_configs import read


def test_the_paper_s_detector() -> None:
    config = read('ies_faster_rcnn_voc.py')
    assert config.model.backbone.type == 'mmpretrain.VGG'
    assert config.model.backbone.depth == 16
    assert config.train_cfg.max_epochs == 30
    train, test = config.train_dataloader, config.test_dataloader
    assert train.dataset.ann_file == 'VOC2007/ImageSets/Main/trainval.txt'
    assert test.dataset.ann_file == 'VOC2007/ImageSets/Main/test.txt'


def test_the_paper_s_segmentor() -> None:
    config = read('ies_deeplabv3_voc.py')
    assert config.model.backbone.type == 'ResNetV1c'
    assert config.model.backbone.depth == 50
    assert config.model.decode_head.type == 'ASPPHead'
    assert config.model.decode_head.num_classes == 21
    assert config.train_cfg.max_epochs == 50
    assert config.train_dataloader.dataset.type == 'PascalVOCDataset'
    assert 'VOC2012' in config.train_dataloader.dataset.data_root


def test_the_segmentor_with_the_extra_images() -> None:
    config = read('ies_deeplabv3_voc12aug.py')
    assert config.train_cfg.max_epochs == 50
    files = [
        part.ann_file for part in config.train_dataloader.dataset.datasets
    ]
    assert [file.rsplit('/')[-1] for file in files] == ['train.txt', 'aug.txt']
    without = read('ies_deeplabv3_voc.py')
    assert config.optim_wrapper == without.optim_wrapper
    assert config.model == without.model
