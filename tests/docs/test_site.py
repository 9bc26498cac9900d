"""The site is complete, and links work in the repository, too.

`make docs` checks the site's own links.
"""

import re
from inspect import getdoc, signature
from pathlib import Path

import pytest

from ies_mm import engine

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *ROOT.glob('*.md'),
    *(ROOT / 'docs').glob('*.md'),
    *(ROOT / 'ies_mm' / 'methods').glob('*/README.md'),
]
LINK = re.compile(r'\]\((?![a-z]+:)([^)#\s]*)#?([^)\s]*)\)')


@pytest.mark.parametrize('name', engine.__all__)
def test_what_a_config_may_say_is_described(name: str) -> None:
    thing = getattr(engine, name)
    taken = signature(thing).parameters.values()
    names = {p.name for p in taken if p.kind is not p.VAR_KEYWORD}
    says = getdoc(thing) or ''
    described = {*re.findall(r'^ {4}(\w+) \(', says, re.MULTILINE)}
    assert names <= described


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / 'mkdocs.yml').read_text()
    for page in (ROOT / 'docs').glob('*.md'):
        assert f': {page.name}\n' in menu, f'{page.name}: add it to mkdocs.yml'
    for card in (ROOT / 'ies_mm' / 'methods').glob('*/README.md'):
        line = f': methods/{card.parent.name}.md\n'
        assert line in menu, f'mkdocs.yml has no "{line.strip()}"'


def test_the_reference_has_every_hook() -> None:
    page = (ROOT / 'docs' / 'reference.md').read_text()
    for name in engine.__all__:
        line = f'::: ies_mm.engine.{name}\n'
        assert line in page, f'docs/reference.md has no "{line.strip()}"'


def anchors(page: Path) -> set[str]:
    """Anchors as a code host derives them from headings."""
    headings = re.findall(r'^#+ (.*)', page.read_text(), re.MULTILINE)
    words = [re.sub(r'[^\w\- ]', '', text.lower()) for text in headings]
    return {text.replace(' ', '-') for text in words}


@pytest.mark.parametrize(
    'page', PAGES, ids=lambda p: f'{p.parent.name}/{p.name}'
)
def test_links_hold_in_the_repository(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text()):
        target = (page.parent / path) if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target), f'{path}#{anchor}'
