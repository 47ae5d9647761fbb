"""Who reads and decides. Where a proxy or Streamlit's own sign-in says who it is, that; else who runs the pages, where nobody
else can reach them; else the name that was typed, and then it is said that nobody checked it."""

from __future__ import annotations

import getpass

import streamlit as st

from quayledger.reports.formatting import visible
from quayledger.settings import SettingsError, load
from quayledger.web.record import Record

_TYPED = "account-name"
_LONGEST = 60
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What a proxy adds: behind one, everybody comes from this machine.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "via")


def person(record: Record) -> str:
    """The name under which decisions are kept; '' where it is not known."""
    if name := signed_in(record) or _own():
        return name
    typed = " ".join(str(st.session_state.get(_TYPED, "")).split())
    return f"{typed} (not signed in)" if typed else ""


def signed_in(record: Record) -> str:
    """The name that a proxy or Streamlit's sign-in vouches for; '' where neither does."""
    try:
        header = load(record.folder).app.user_header
    except (SettingsError, OSError):
        header = ""
    if header:
        return _short(st.context.headers.get(header) or "")
    return _short(str(st.user.get("email") or st.user.get("name") or "")) if st.user.get("is_logged_in") else ""


def _own() -> str:
    """The account that runs the pages, where they listen on this machine alone."""
    headers = {name.lower() for name in st.context.headers.to_dict()}
    if st.get_option("server.address") not in _LOOPBACK or headers & {*_FORWARDED}:
        return ""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def _short(name: str) -> str:
    return " ".join(name.split())[:_LONGEST]


def show(record: Record) -> None:
    """Who it is, or a field to say it."""
    name = person(record)
    with st.popover(visible(name) or "Who are you?", icon=":material/person:", type="tertiary"):
        if signed_in(record) or _own():
            st.caption("Decisions on alerts and saved views are kept under this name.")
            return
        st.text_input("Your name", key=_TYPED, max_chars=_LONGEST)
        st.caption(
            "Decisions are kept under this name, marked as not signed in. Set app.user_header where a proxy signs people in."
        )
