"""The simulator's effects on users: they come, go, are renamed, and change what they say of themselves."""

from __future__ import annotations

from quayledger.simulator.clock import SECOND_US
from quayledger.simulator.effects.event import Effect, Event, account_named
from quayledger.simulator.entities.accounts import AppToken, Team
from quayledger.simulator.images import uuid_of
from quayledger.simulator.registry import Registry
from quayledger.simulator.secret_values import secret


def create_user(registry: Registry, event: Event) -> None:
    """`username`, `email`; nothing where there is such an account."""
    name = event.text("username")
    if name and registry.account(name) is None:
        registry.add_account(name, "user", email=event.text("email"), created_us=event.at_us)


def delete_namespace(registry: Registry, event: Event) -> None:
    """The user `username` or the organisation `namespace`: marked for deletion."""
    found = account_named(registry, event, "username", "namespace")
    if found is not None and not found.deleted:
        registry.delete_namespace(found.name)


def disable(registry: Registry, event: Event) -> None:
    """The user `username`."""
    found = account_named(registry, event, "username") or event.account
    found.enabled = False


def enable(registry: Registry, event: Event) -> None:
    """The user `username`."""
    found = account_named(registry, event, "username") or event.account
    found.enabled = not found.deleted


def change_email(_: Registry, event: Event) -> None:
    """`email` of the event's namespace."""
    event.account.email = event.text("email") or event.account.email


def change_user_name(registry: Registry, event: Event) -> None:
    """From `old_username` to what is told beside the log; the log itself shows the new name already."""
    old, new = event.text("old_username"), event.text("username")
    if new and registry.account(old) is not None and registry.account(new) is None:
        registry.rename(old, new)


def change_tag_expiration(_: Registry, event: Event) -> None:
    """How long what is deleted can be brought back, seconds."""
    event.account.tag_expiration_s = int(event.get("tag_expiration", event.account.tag_expiration_s))


def change_invoicing(_: Registry, event: Event) -> None:
    """`invoice_email`, `invoice_email_address`: those that are told."""
    if "invoice_email" in event.metadata:
        event.account.invoice_email = bool(event.metadata["invoice_email"])
    if "invoice_email_address" in event.metadata:
        event.account.invoice_email_address = event.metadata["invoice_email_address"]


def change_profile(_: Registry, event: Event) -> None:
    """Name, company and place."""
    for key in ("company", "family_name", "given_name", "location"):
        if key in event.metadata:
            event.account.profile[key] = event.metadata[key]


def convert(registry: Registry, event: Event) -> None:
    """The user becomes an organisation; `admin` is told beside the log."""
    if event.account.kind != "user":
        return
    admin = account_named(registry, event, "admin")
    event.account.kind = "org"
    event.account.teams.append(Team("owners", "admin", members={admin.id} if admin else set()))
    registry.version += 1


def create_app_token(_: Registry, event: Event) -> None:
    """`app_specific_token` is its UUID, `app_specific_token_title` its title; `expires_us` beside the log."""
    uuid = event.text("app_specific_token") or uuid_of("app token", event.account.id, event.at_us)
    owner = event.performer or event.account
    if all(token.uuid != uuid for token in owner.app_tokens):
        title = event.text("app_specific_token_title")
        made = AppToken(uuid, title, secret("app token", uuid), event.at_us // SECOND_US * SECOND_US)
        made.expires_us = event.get("expires_us")
        owner.app_tokens.append(made)


def revoke_app_token(_: Registry, event: Event) -> None:
    """By its UUID."""
    for owner in (event.account, event.performer):
        if owner is not None:
            owner.app_tokens = [t for t in owner.app_tokens if t.uuid != event.text("app_specific_token")]


EFFECTS: dict[str, Effect] = {
    "account_convert": convert,
    "create_app_specific_token": create_app_token,
    "revoke_app_specific_token": revoke_app_token,
    "user_change_email": change_email,
    "user_change_invoicing": change_invoicing,
    "user_change_metadata": change_profile,
    "user_change_name": change_user_name,
    "user_change_tag_expiration": change_tag_expiration,
    "user_create": create_user,
    "user_delete": delete_namespace,
    "user_disable": disable,
    "user_enable": enable,
}
