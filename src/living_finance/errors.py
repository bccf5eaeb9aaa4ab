"""Every failure this project raises on purpose, one exit code each.

A message says what is wrong, where, and what to do; it never holds a value from a person's row.
"""

from __future__ import annotations


class LivingFinanceError(Exception):
    """Base of all failures that are part of the design."""

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(f"{message} Remedy: {remedy}" if remedy else message)


class ConfigurationError(LivingFinanceError):
    """A setting is unknown, missing or out of range."""

    exit_code = 10


class EnvironmentProblem(LivingFinanceError):
    """Java, Python, a jar or a writable folder is missing."""

    exit_code = 11


class PseudonymKeyMissing(LivingFinanceError):
    """Pseudonyms are on, but there is no key that could be used."""

    exit_code = 12


class RefusedDelivery(LivingFinanceError):
    """A delivery breaks the contract; no table has changed."""

    exit_code = 20

    def __init__(self, *, delivery: str, rule: str, file: str = "", detail: str = "", remedy: str = "") -> None:
        self.delivery = delivery
        self.rule = rule
        self.file = file
        self.detail = detail
        where = f"{delivery}/{file}" if file else delivery
        super().__init__(f"Refused {where}: {rule}{f' ({detail})' if detail else ''}.", remedy=remedy)


class MissingInput(LivingFinanceError):
    """A month cannot be made: a delivery or an earlier step's table is not there."""

    exit_code = 21


class ImplausibleChange(LivingFinanceError):
    """A delivery conforms but differs from last month more than is credible; a named override lets it pass."""

    exit_code = 22


class ContractViolation(LivingFinanceError):
    """A table, a join or a row balance is not what its contract says: a defect here, not in a delivery."""

    exit_code = 30

    def __init__(self, message: str, *, remedy: str = "report it as a defect; run again when it is mended") -> None:
        super().__init__(message, remedy=remedy)


class ConcurrentRun(LivingFinanceError):
    """Another run holds the same month."""

    exit_code = 31


class QualityInsufficient(LivingFinanceError):
    """A month fails a check that stops its publication; a named override lets it pass."""

    exit_code = 32


class StorageDamaged(LivingFinanceError):
    """A table in the warehouse disagrees with the ledger."""

    exit_code = 40


class TrackingUnavailable(LivingFinanceError):
    """The MLflow store does not answer."""

    exit_code = 50


class ModelRefused(LivingFinanceError):
    """A model may not be promoted, or may not serve the month."""

    exit_code = 53


class DatabaseUnavailable(LivingFinanceError):
    """The utilization database does not start or answer, or its tables are held."""

    exit_code = 51


class DisclosureFound(LivingFinanceError):
    """An attack on a release succeeds; nothing leaves."""

    exit_code = 60


class ReleaseNotReady(LivingFinanceError):
    """A release is not in the state that the command asks for."""

    exit_code = 61


class ReleaseDamaged(LivingFinanceError):
    """Files of a release, or the register of releases, are not what was registered."""

    exit_code = 62
