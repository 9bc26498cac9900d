"""The page is self-contained and escapes names correctly."""

import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ies_mm.report.comparing.comparison import compare_runs
from ies_mm.report.showing.page import render_page
from ies_mm.report.showing.prose import as_html
from work_dirs import ies_run, plain_run, write_instances

NAN = math.nan
EVIL = '<script>alert("x")</script>.png'
ROWS = [[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0]]


class Reader(HTMLParser):
    """Collects the tags, addresses and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.cards: list[tuple[str | None, str | None]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(
        self, tag: str, attrs: list[tuple[str, str | None]]
    ) -> None:
        self.tags.append(tag)
        self.sources += [v or '' for k, v in attrs if k in ('src', 'href')]
        found = dict(attrs)
        if found.get('class') == 'card':
            self.cards.append((found['data-classes'], found['data-first']))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(' '.join(data.split()))


def page_of(*work_dirs: Path) -> Reader:
    return Reader(render_page(compare_runs(work_dirs), None).decode())


def run_with_images(tmp_path: Path, first_epoch: int = 1) -> Path:
    """Three images: one file, one missing, one with a malicious name."""
    images = tmp_path / 'images'
    images.mkdir()
    Image.new('RGB', (640, 480)).save(images / 'a.png')
    names = [f'{images}/{name}' for name in ('a.png', 'gone.png', EVIL)]
    excluded = (0,) * (first_epoch - 1) + (0, 2, 1, 2)
    work_dir = ies_run(tmp_path / 'ies', excluded=excluded)
    write_instances(work_dir, names, ROWS, first_epoch=first_epoch)
    return work_dir


def test_the_page_needs_no_other_file(tmp_path: Path) -> None:
    page = page_of(plain_run(tmp_path / 'a'), run_with_images(tmp_path))
    # Two curves; 2, 2, 1 and 1 cards, of which one has a file.
    # One more is filled by a click on a picture.
    assert len(page.sources) == 2 + 6 + 1
    assert all(source.startswith('data:image/') for source in page.sources)
    assert not {'link', 'iframe'} & set(page.tags)


def test_names_are_escaped(tmp_path: Path) -> None:
    work_dir = run_with_images(tmp_path).rename(tmp_path / '<b>run')
    page = page_of(work_dir)
    assert EVIL in page.text
    assert page.tags.count('script') == 1
    assert str(work_dir) in page.text


def test_facts_and_placeholders(tmp_path: Path) -> None:
    page = page_of(run_with_images(tmp_path))
    assert page.text.count('no file') == 5
    fact = 'pruned in 2 of 4 epochs, first in epoch 2, re-included once, '
    assert f'{fact}last loss 1.00' in page.text
    assert 'trained in every epoch, last loss 1.00' in page.text
    assert any('5 of 6 image files were not' in text for text in page.text)


def test_a_run_of_which_the_last_epochs_were_kept_says_so(
    tmp_path: Path,
) -> None:
    page = page_of(run_with_images(tmp_path, first_epoch=7))
    assert any('Only epochs 7 to 10 were kept' in text for text in page.text)
    assert 'Pruned first' not in page.text
    assert not any('first in epoch' in text for text in page.text)


def test_a_dry_run_does_not_pretend(tmp_path: Path) -> None:
    work_dir = ies_run(tmp_path, hook={'dry_run': True}, excluded=(0,) * 4)
    write_instances(work_dir, ['a'], [[1]] * 4)
    page = page_of(work_dir)
    assert any('A dry run prunes nothing' in text for text in page.text)
    assert 'Never pruned' not in page.text


def test_a_run_without_instances_says_so(tmp_path: Path) -> None:
    page = page_of(ies_run(tmp_path))
    assert any('No per-image records were kept' in t for t in page.text)


@pytest.mark.parametrize(
    'names', [['a', '/b', 'c'], ['', 'x\0y', '.'], ['\udcff.png', 'b', 'c']]
)
def test_names_of_any_kind(tmp_path: Path, names: list[str]) -> None:
    work_dir = ies_run(tmp_path, excluded=(0, 2, 1, 2))
    write_instances(work_dir, names, ROWS)
    page_of(work_dir)


def test_the_table_is_there(tmp_path: Path) -> None:
    plain = plain_run(tmp_path / 'a', train=20)
    page = page_of(plain, ies_run(tmp_path / 'b', train=10, saved=0.5))
    begin = page.text.index('IES')
    assert page.text[begin : begin + 12] == [
        'IES', '1', '0.600', '0.600', '50.0%', '12', '20', '4.0', '2.0', '40',
        '2.00x', '100%',
    ]  # fmt: skip


def test_a_card_can_be_filtered_by_what_is_in_it(tmp_path: Path) -> None:
    images = tmp_path / 'VOC2007' / 'JPEGImages'
    images.mkdir(parents=True)
    names = [f'{images}/{name}.png' for name in 'abc']
    for name in names:
        Image.new('RGB', (64, 48)).save(name)
    write_xml(tmp_path / 'VOC2007' / 'Annotations' / 'a.xml', 'a "cat"')
    work_dir = ies_run(tmp_path / 'ies', excluded=(0, 2, 1, 2))
    write_instances(work_dir, names, ROWS)
    page = page_of(work_dir)
    assert {('["a \\"cat\\""]', ''), ('[]', '2')} <= set(page.cards)
    assert page.text[page.text.index('Class') + 1 :][:2] == ['all', 'a "cat"']


def write_xml(path: Path, label: str) -> None:
    box = '<xmin>4</xmin><ymin>5</ymin><xmax>30</xmax><ymax>20</ymax>'
    path.parent.mkdir()
    path.write_text(
        '<annotation><object>'
        f'<name>{label}</name><bndbox>{box}</bndbox>'
        '</object></annotation>'
    )


def test_what_becomes_of_the_images_pruned_first(tmp_path: Path) -> None:
    work_dir = ies_run(tmp_path / 'ies', excluded=(0, 1, 0, 2))
    losses = [[8.0, 8, 8], [4.0, 1, 7], [4.0, 2, 6], [3.0, 3, 6]]
    rows = [[1, 1, 1], [1, 0, 1], [1, 1, 1], [0, 0, 1]]
    write_instances(work_dir, ['a.png', 'b.png', 'c.png'], rows, losses)
    text = ' '.join(page_of(work_dir).text)
    assert 'Does it forget what it prunes?' in text
    assert 'the 1 image of 3 that was pruned first' in text
    # Epoch 3 trains all images, so it does not count as re-included.
    assert 're-included 0.0 times on average, 0 at most' in text
    for cells in ('1 8.00 8.00', '2 4.00 1.00', '3 4.00 2.00', '4 4.00 3.00'):
        assert f'{cells} - -' in text


def test_no_such_section_without_all_epochs(tmp_path: Path) -> None:
    page = page_of(run_with_images(tmp_path, first_epoch=2))
    assert 'Does it forget what it prunes?' not in page.text


def test_suspected_label_errors_stand_under_their_term(tmp_path: Path) -> None:
    work_dir = ies_run(tmp_path / 'ies')
    losses = [[1.0, 4.0, 2.0], [1.0, NAN, 3.0]]
    write_instances(work_dir, ['a', 'b', 'c'], [[1, 1, 1], [1, 0, 1]], losses)
    text = page_of(work_dir).text
    section = text[text.index('Suspected label errors: IES') :]
    # Each term is half the loss; b is out in an epoch that excludes two.
    for term, first, second in (
        ('sum', ['b', '4', '4', 'no'], ['c', '2.5', '3', 'yes']),
        ('loss_bbox', ['b', '2', '2', 'no'], ['c', '1.25', '1.5', 'yes']),
    ):
        place = section.index(term)
        assert section[place + 1 : place + 5] == first
        assert section[place + 6 : place + 10] == second


def test_without_history_there_is_no_filter_by_epoch(tmp_path: Path) -> None:
    """It would hide every card."""
    for first_epoch, offered in ((1, True), (5, False)):
        (tmp_path / str(first_epoch)).mkdir()
        run = run_with_images(tmp_path / str(first_epoch), first_epoch)
        text = page_of(run).text
        assert ('First pruned by epoch' in text) == offered


def test_only_pictures_that_are_there_can_be_clicked(tmp_path: Path) -> None:
    run = run_with_images(tmp_path)
    words = 'Click a picture to enlarge it.'
    assert any(words in text for text in page_of(run).text)
    (tmp_path / 'images' / 'a.png').unlink()
    assert not any(words in text for text in page_of(run).text)


def test_the_verdict_is_a_list_and_its_commands_are_code(
    tmp_path: Path,
) -> None:
    page = render_page(compare_runs([ies_run(tmp_path)]), None).decode()
    [found] = re.findall(r'<ul class="verdict">(.*?)</ul>', page, re.DOTALL)
    assert found.count('<li>') == found.count('</li>') == 4
    assert (
        '<code>ies-mm train PLAIN_CONFIG '
        '<span class="keep">--length 0.7</span></code>.'
    ) in found
    assert '`' not in found


def test_a_name_in_the_verdict_is_no_markup() -> None:
    assert as_html('<b> is `a & --x <i>`') == (
        '&lt;b&gt; is <code>a &amp; --x &lt;i&gt;</code>'
    )


def test_a_method_without_losses_has_no_empty_plots(tmp_path: Path) -> None:
    run = run_with_images(tmp_path)
    for loss, drawn in ((1.0, True), (NAN, False)):
        values = np.full((4, 3), loss)
        names = [str(tmp_path / 'images' / name) for name in 'abc']
        write_instances(run, names, ROWS, values.tolist())
        page = render_page(compare_runs([run]), None).decode()
        assert ('alt="Loss over epochs"' in page) == drawn
        assert ('one point per observation' in page) == drawn
