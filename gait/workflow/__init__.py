"""Workflow state: pure functions behind the rules, without torch."""
