"""The family of errors that reports raise."""

from __future__ import annotations


class ReportError(Exception):
    """Root of the family; the text says what was asked, what is wrong with it, and what to ask instead."""


class BadPeriod(ReportError):
    """A period or time zone that cannot be understood, or that ends before it begins."""


class UnknownReport(ReportError):
    """No report has the id that was asked for."""


class UnknownTable(ReportError):
    """The report has no table of that name."""


class UnknownColumn(ReportError):
    """The table has no column of that name."""


class UnknownObject(ReportError):
    """Nothing of that name was ever seen, in the inventory or in the log; the text has the nearest names."""


class UnknownFamily(ReportError):
    """The inventory keeps nothing under that name."""


class BadParameter(ReportError):
    """A parameter that the report does not have, or a value that it cannot take."""
