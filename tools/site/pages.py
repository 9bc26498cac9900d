"""An MkDocs hook for pages outside docs/ and for GitHub's Markdown.

The files are also read on a code host, so their links are relative to the
repository, and lists and tables may directly follow a line of text.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
CARDS = 'ies_mm/methods'
WIDE = 'coverage.md'
"""Its wide tables use the space of the menus."""

LINK = re.compile(r'\[([^\]]*)\]\((?![a-z]+:)([^)#\s]+)(#[^)\s]*)?\)')
ROLE = re.compile(r':(?:class|data|func|meth|mod):(?=<code>)')
BLOCK = re.compile(r'([-*+]|\d+\.) |\|')


def _elsewhere() -> dict[str, str]:
    """Pages of the site by file of the repository."""
    pages = {
        'README.md': 'index.md',
        'CHANGELOG.md': 'changes.md',
        'CONTRIBUTING.md': 'contributing.md',
    }
    for card in sorted(ROOT.glob(f'{CARDS}/*/README.md')):
        name = card.parent.name
        pages[f'{CARDS}/{name}/README.md'] = f'methods/{name}.md'
    return pages


PAGES = _elsewhere()
SOURCES = {page: source for source, page in PAGES.items()}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are not in docs/."""
    for source, page in PAGES.items():
        path = str(ROOT / source)
        files.append(File.generated(config, page, abs_src_path=path))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Turn repository links into site links, and set blocks apart."""
    if page.file.src_uri == WIDE:
        page.meta['hide'] = ['navigation', 'toc']
    return _set_apart(_relinked(markdown, page.file.src_uri))


def on_page_content(html: str, **_: Any) -> str:
    """Remove the Sphinx roles of docstrings, which Markdown does not know."""
    return ROLE.sub('', html)


def _relinked(markdown: str, page: str) -> str:
    source = PurePosixPath(SOURCES.get(page, f'docs/{page}'))

    def link(match: re.Match[str]) -> str:
        text, path, anchor = match[1], match[2], match[3] or ''
        target = normpath(source.parent / path)
        if found := _page_of(target):
            path = relpath(found, PurePosixPath(page).parent)
        elif (ROOT / target).exists():
            return text  # code, which is not part of the site
        return f'[{text}]({path}{anchor})'

    return LINK.sub(link, markdown)


def _page_of(target: str) -> str | None:
    if target == CARDS:
        return 'methods.md'
    if target.startswith('docs/'):
        return target.removeprefix('docs/')
    return PAGES.get(target)


def _set_apart(markdown: str) -> str:
    """Put a blank line before a list or table that follows a line of text."""
    lines: list[str] = []
    fenced = False
    for line in markdown.splitlines():
        fenced ^= line.lstrip().startswith('```')
        before = lines[-1] if lines else ''
        if not fenced and _begins_block(line, before):
            lines.append('')
        lines.append(line)
    return '\n'.join(lines)


def _begins_block(line: str, before: str) -> bool:
    in_block = BLOCK.match(before) or before.startswith((' ', '>'))
    return bool(BLOCK.match(line) and before.strip() and not in_block)
