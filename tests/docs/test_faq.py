"""The FAQ quotes error messages as the program prints them."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / 'docs' / 'faq.md').read_text()
QUOTED = re.findall(r'^\| `([^`]+)`', PAGE, re.MULTILINE)
OPEN = '\0'


@cache
def messages() -> list[str]:
    """Strings of the package, with placeholders for formatted values."""
    files = (ROOT / 'ies_mm').rglob('*.py')
    return [text for file in files for text in _texts(file)]


def _texts(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.JoinedStr | ast.Constant):
            yield _text(node)


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return ''.join(map(_text, node.values))
    value = getattr(node, 'value', None)
    return value if isinstance(value, str) else OPEN


def test_the_page_has_messages() -> None:
    assert len(QUOTED) > 40


@pytest.mark.parametrize('quoted', QUOTED)
def test_a_quoted_message_is_one_of_the_program(quoted: str) -> None:
    for part in filter(None, quoted.split('…')):
        assert any(part in text for text in messages()), part
