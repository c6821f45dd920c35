"""One self-contained HTML page about a comparison: no network, no other files."""

from .page import write_report

__all__ = ["write_report"]
