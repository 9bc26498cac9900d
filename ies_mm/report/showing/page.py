"""A comparison as one self-contained HTML page."""

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from ies_mm.report.comparing.classes import by_class, common_classes
from ies_mm.report.comparing.figures import best, last, spread
from ies_mm.report.comparing.forgetting import SHARE
from ies_mm.report.comparing.groups import differing
from ies_mm.report.comparing.image_groups import by_measure, common_measures
from ies_mm.report.comparing.notes import Comparison, Row
from ies_mm.report.reading.runs import Run
from ies_mm.report.showing.cards import sections_of
from ies_mm.report.showing.curves import (
    count_panel,
    draw_panel,
    has_seconds,
    metric_panel,
    seconds_panel,
)
from ies_mm.report.showing.forgotten import forgotten_by
from ies_mm.report.showing.pictures import data_uri
from ies_mm.report.showing.prose import as_html
from ies_mm.report.showing.suspects import suspicions_of
from ies_mm.report.showing.table import (
    CONTROLS,
    DETAILS,
    GROUPS,
    HEADINGS,
    UNKNOWN,
    cells,
    compared,
    difference_cells,
    metric_text,
    seconds_text,
    share_text,
)


def render_page(
    comparison: Comparison,
    times: bytes | None = None,
    forest: bytes | None = None,
    early: float = SHARE,
) -> bytes:
    """Render the page.

    Args:
        comparison (Comparison): The comparison to show.
        times (bytes, optional): The picture of the epochs' seconds.
        forest (bytes, optional): The picture of the differences.
        early (float): See :func:`forgotten_by`. Defaults to 5%.
    """
    environment = Environment(
        loader=PackageLoader('ies_mm.report.showing', '.'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template('page.html.j2').render(
        metric=comparison.metric,
        findings=[as_html(finding) for finding in comparison.findings],
        groups=GROUPS,
        headings=HEADINGS,
        details=DETAILS,
        rows=[cells(row) for row in comparison.rows],
        controls=CONTROLS,
        differences=[difference_cells(row) for row in compared(comparison)],
        classes=class_rows(comparison.rows),
        image_groups=image_group_rows(comparison.rows),
        settings=settings_that_differ(comparison.rows),
        runs=[
            _run_cells(row.group.label, run, comparison.metric)
            for row in comparison.rows
            for run in row.group.runs
        ],
        notes=comparison.notes,
        metric_curve=data_uri(draw_panel(comparison, metric_panel)),
        seconds_curve=_seconds_curve(comparison),
        count_curve=data_uri(draw_panel(comparison, count_panel)),
        times=data_uri(times) if times else None,
        forest=data_uri(forest) if forest else None,
        early=early,
        forgotten=list(forgotten_by(comparison.rows, early)),
        sections=list(sections_of(comparison)),
        suspicions=list(suspicions_of(comparison.rows)),
    )
    # File names need not be valid Unicode.
    return text.encode(errors='replace')


def _seconds_curve(comparison: Comparison) -> str | None:
    if not has_seconds(comparison):
        return None
    return data_uri(draw_panel(comparison, seconds_panel))


def class_rows(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """The last value of each class by group, the plain runs' worst first."""
    groups = [row.group for row in rows]
    classes = common_classes(groups)
    if not classes:
        return []
    columns = [by_class(group, classes) for group in groups]
    order = sorted(range(len(classes)), key=lambda k: columns[0][k].mean)
    return [
        (classes[k], [metric_text(column[k]) for column in columns])
        for k in order
    ]


def image_group_rows(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """The last value of each measure of a GroupMetric, row by row."""
    groups = [row.group for row in rows]
    measures = common_measures(groups)
    columns = [by_measure(group, measures) for group in groups]
    return [
        (
            name.replace('/', ': '),
            [metric_text(column[k]) for column in columns],
        )
        for k, name in enumerate(measures)
    ]


def settings_that_differ(rows: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """Config keys whose values differ between groups, with the values."""
    groups = [row.group for row in rows]
    return [
        (key, [str(group.settings.get(key, UNKNOWN)) for group in groups])
        for key in differing(groups)
    ]


def _run_cells(label: str, run: Run, metric: str | None) -> list[str]:
    """The texts of a run's row in the table of runs."""
    return [
        label,
        str(run.work_dir),
        UNKNOWN if run.seed is None else str(run.seed),
        str(run.progress),
        metric_text(spread([best(run, metric)])),
        metric_text(spread([last(run, metric)])),
        share_text(spread([run.known_saved])) if run.records else UNKNOWN,
        seconds_text(spread([run.total_seconds])),
        seconds_text(spread([run.training_wall])),
    ]
