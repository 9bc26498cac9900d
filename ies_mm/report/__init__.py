"""What a run leaves behind, and what is made of it."""

from ies_mm.report.records import RunRecords

__all__ = ['RunRecords']
