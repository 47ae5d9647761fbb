"""The process of the web pages: `python -m quayledger.web.streamlit_server run …` is `streamlit run …` without the one request
that Streamlit makes to the outside.

Where a WebSocket comes with an Origin that is not its Host, as behind a proxy that does not pass the Host header, Streamlit asks
an address on the internet for the machine's own public address, to allow that too. No setting prevents it.
"""

from __future__ import annotations

from streamlit import net_util


def no_external_ip() -> None:
    """In place of Streamlit's request: this machine's public address is not known."""


def main() -> None:
    """Runs Streamlit's command line."""
    from streamlit.web import cli

    stay_inside()
    cli.main(prog_name="streamlit")


def stay_inside() -> None:
    """Takes Streamlit's request away from this process."""
    net_util.get_external_ip = no_external_ip


if __name__ == "__main__":
    main()
