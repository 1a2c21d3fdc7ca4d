"""A line at the foot of a terminal that moves, and plain lines above it. The only user of rich,
imported where it draws."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["MovingLine"]


class MovingLine:
    """`line` gives the parts of what is shown: side by side where the terminal is wide enough,
    below each other elsewhere. It is asked twice a second, in another thread."""

    def __init__(self, stream: TextIO, line: Callable[[], tuple[str, ...]]) -> None:
        from rich.console import Console

        self._console = Console(file=stream, highlight=False)
        self._parts = line

    def start(self) -> None:
        from rich.live import Live

        self._live = Live(
            console=self._console,
            transient=True,
            refresh_per_second=2,
            redirect_stdout=False,
            get_renderable=self._render,
        )
        self._live.start()

    def say(self, line: str, *, style: str = "", whole: bool = False) -> None:
        """A line that stays, cut at the terminal's edge unless all of it is to be read."""
        self._console.print(_text(line, style=style, whole=whole))

    def stop(self) -> None:
        self._live.stop()

    def _render(self) -> Text:
        parts = [part for part in self._parts() if part]
        whole = "  ".join(parts)
        return _text(whole if len(whole) < self._console.width else "\n".join(parts))


def _text(line: str, *, style: str = "", whole: bool = False) -> Text:
    """As it stands: no markup."""
    from rich.text import Text

    return Text(line, style=style, no_wrap=not whole, overflow="fold" if whole else "ellipsis")
