"""Documents of Sigma files, parsed by pySigma and made conditions of the warehouse. The only module, with `translate`, that loads pySigma."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml
from sigma.collection import SigmaCollection
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.rule import SigmaRule

from quayledger.reports.detections.sigma.translate import Unsupported, condition_of, correlation_of, referenced
from quayledger.warehouse.log.conditions import Condition, Correlation

_PRODUCT = "quay"
_MOST_NESTED = 40


class Document(msgspec.Struct, frozen=True):
    """One document of a file: where it begins (1 is the first line), its text and what it says."""

    path: Path
    line: int
    text: str
    body: dict[str, Any]


class Parsed(msgspec.Struct, frozen=True):
    """One rule, ready to be asked."""

    path: Path
    id: str
    name: str
    title: str
    version: int
    level: str
    tags: tuple[str, ...]
    description: str
    false_positives: tuple[str, ...]
    subject: tuple[str, ...]
    condition: Condition | None = None
    correlation: Correlation | None = None


class Broken(msgspec.Struct, frozen=True):
    """One rule that cannot be judged."""

    document: Document
    line: int
    reason: str


def documents(path: Path) -> tuple[list[Document], list[tuple[int, str]]]:
    """The documents of a file, and line and reason of what is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return [], [(0, f"it cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}")]
    found, problems, line = [], [], 1
    for part in re.split(r"(?m)^---[ \t]*(?:#.*)?$\n?", text):
        if part.strip():
            try:
                body = yaml.load(part, Loader=_Loader)  # noqa: S506 - a SafeLoader without aliases
            except yaml.MarkedYAMLError as error:
                mark = error.problem_mark
                problems.append(
                    (line + (mark.line if mark else 0), f"it is not YAML: {error.problem or error.context}")
                )
            except (yaml.YAMLError, RecursionError, ValueError) as error:
                problems.append((line, f"it is not YAML: {error}"))
            else:
                if isinstance(body, dict) and all(isinstance(key, str) for key in body):
                    found.append(Document(path, line, part, body))
                elif body is not None:
                    problems.append(
                        (line, "it is not a Sigma rule: a rule is a mapping with title, logsource and detection")
                    )
        line += part.count("\n") + 1
    return found, problems


class _Loader(yaml.SafeLoader):
    """Without aliases: a few lines of them unfold to gigabytes."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not supported", mark)
        return super().compose_node(parent, index)


def rules(found: Sequence[Document]) -> tuple[list[Parsed], list[Broken]]:
    """The rules of all documents, each as it is by itself, correlations with the rules that they name."""
    parsed: list[tuple[Document, SigmaRule | SigmaCorrelationRule]] = []
    broken: list[Broken] = []
    names: dict[str, Document] = {}
    for document in found:
        with _noted(document, broken, ""):
            rule = _parse(document)
            _take_names(document, rule, names)
            parsed.append((document, rule))
    made: list[tuple[SigmaRule | SigmaCorrelationRule, Parsed]] = []
    resolved = _resolve(parsed, broken)
    for document, rule in resolved:
        with _noted(document, broken, "condition"):
            made.append((rule, _made(document, rule)))
    hidden = referenced([rule for _, rule in resolved])
    return [one for rule, one in made if id(rule) not in hidden], broken


@contextlib.contextmanager
def _noted(document: Document, broken: list[Broken], named: str) -> Iterator[None]:
    """Notes what is wrong with a document, instead of raising it."""
    try:
        yield
    except Unsupported as error:
        broken.append(_broken(document, str(error), error.named))
    # pySigma meets what it did not expect with errors of Python's own.
    except (SigmaError, TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        broken.append(_broken(document, _said(error), named))


def _take_names(document: Document, rule: SigmaRule | SigmaCorrelationRule, names: dict[str, Document]) -> None:
    for name in filter(None, (rule.name, str(rule.id) if rule.id else None)):
        if name in names:
            raise Unsupported(f"{name} is also the name of a rule in {names[name].path.name}", name)
        names[name] = document


def _parse(document: Document) -> SigmaRule | SigmaCorrelationRule:
    body = document.body
    if _depth(body) > _MOST_NESTED:
        raise Unsupported(f"it is nested more than {_MOST_NESTED} deep", "")
    if "correlation" in body:
        return SigmaCorrelationRule.from_dict(body)
    if "filter" in body or "action" in body:
        raise Unsupported(
            "Sigma filters and collections (action) are not supported", "filter" if "filter" in body else "action"
        )
    rule = SigmaRule.from_dict(body)
    if rule.logsource.product != _PRODUCT:
        named = rule.logsource.product or "none"
        raise Unsupported(f"it is for the log of {named}; rules for this log say `product: {_PRODUCT}`", "logsource")
    return rule


def _depth(value: Any, deep: int = 0) -> int:
    if deep > _MOST_NESTED or not isinstance(value, (dict, list)):
        return deep
    inner = value.values() if isinstance(value, dict) else value
    return max((_depth(one, deep + 1) for one in inner), default=deep)


def _resolve(
    parsed: Sequence[tuple[Document, SigmaRule | SigmaCorrelationRule]], broken: list[Broken]
) -> list[tuple[Document, SigmaRule | SigmaCorrelationRule]]:
    """Correlations with the rules that they name; those that name none that there is are broken."""
    collection = SigmaCollection([rule for _, rule in parsed], resolve_references=False)
    kept = []
    for document, rule in parsed:
        if isinstance(rule, SigmaCorrelationRule):
            try:
                rule.resolve_rule_references(collection)
            except SigmaError as error:
                broken.append(_broken(document, f"it names a rule that there is not: {_said(error)}", "rules"))
                continue
        kept.append((document, rule))
    return kept


def _made(document: Document, rule: SigmaRule | SigmaCorrelationRule) -> Parsed:
    is_correlation = isinstance(rule, SigmaCorrelationRule)
    title = rule.title or document.path.stem
    return Parsed(
        path=document.path,
        id=f"sigma:{rule.name or rule.id or document.path.stem}",
        name=rule.name or str(rule.id or document.path.stem),
        title=title,
        version=_version(rule),
        level=rule.level.name.lower() if rule.level else "medium",
        tags=tuple(str(tag) for tag in rule.tags),
        description=rule.description or title,
        false_positives=tuple(str(one) for one in rule.falsepositives or ()),
        subject=tuple(rule.group_by or ()) if isinstance(rule, SigmaCorrelationRule) else (),
        condition=None if isinstance(rule, SigmaCorrelationRule) else condition_of(rule),
        correlation=correlation_of(rule) if is_correlation and isinstance(rule, SigmaCorrelationRule) else None,
    )


def _version(rule: SigmaRule | SigmaCorrelationRule) -> int:
    """A number that grows when a rule's author says that it changed."""
    changed = rule.modified or rule.date
    return int(changed.strftime("%Y%m%d")) if changed else 1


def _broken(document: Document, reason: str, named: str) -> Broken:
    return Broken(document, _line_of(document, named), reason)


def _line_of(document: Document, named: str) -> int:
    """The line of a document that names something; its first line where none does."""
    if named:
        for number, line in enumerate(document.text.splitlines()):
            if named in line and not line.lstrip().startswith("#"):
                return document.line + number
    leading = len(document.text) - len(document.text.lstrip("\n"))
    return document.line + leading


def _said(error: BaseException) -> str:
    text = str(error.args[0]) if error.args else type(error).__name__
    return text if isinstance(error, SigmaError) else f"it is not a Sigma rule: {text}"
