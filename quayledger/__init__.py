"""quayledger: the audit ledger and usage analytics of Quay container registries.

The folders of this package are links to the top-level folders of the same name; `docs/decisions/` says why."""

__version__ = "0.1.0"
