"""Sentences with commands in backticks, for the terminal and the page."""

import re
import textwrap

from markupsafe import Markup, escape

WIDTH = 100
_CODE = re.compile(r'`([^`]+)`')
_OPTION = re.compile(r'(--[\w-]+) ([\w.]{1,12})(?![\w.=])')
# A longer value would not fit a narrow screen.
_SPACE = '\N{NO-BREAK SPACE}'


def wrapped(text: str) -> str:
    """Break lines, but neither paths nor options from their values."""
    joined = _OPTION.sub(rf'\1{_SPACE}\2', text)
    return textwrap.fill(
        joined,
        WIDTH,
        subsequent_indent='  ',
        break_long_words=False,
        break_on_hyphens=False,
    ).replace(_SPACE, ' ')


def as_html(text: str) -> Markup:
    """Mark commands as code, whose options keep their values in one line.

    A no-break space would do that, too, but could not be pasted in a shell.
    """
    kept = r'<span class="keep">\1 \2</span>'
    coded = _CODE.sub(
        lambda found: f'<code>{_OPTION.sub(kept, found[1])}</code>',
        str(escape(text)),
    )
    return Markup(coded)
