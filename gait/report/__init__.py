"""Tables, figures and pages from metrics."""

from gait.report.experiment import report
from gait.report.matrix import tabulate_matrix
from gait.report.page import html_report
from gait.report.tables import merge_tables
from gait.report.terminal import show

__all__ = ["html_report", "merge_tables", "report", "show", "tabulate_matrix"]
