"""Tables, figures and pages from metrics."""

from gait.report.experiment import report
from gait.report.matrix import tabulate_matrix
from gait.report.page import page
from gait.report.tables import combine
from gait.report.terminal import show

__all__ = ["combine", "page", "report", "show", "tabulate_matrix"]
