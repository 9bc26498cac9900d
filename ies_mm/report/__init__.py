"""The records of a run, and the reports made from them."""

from ies_mm.report.records import RunRecords

__all__ = ['RunRecords']
