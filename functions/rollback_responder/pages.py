"""Answers that come in pages."""

from collections.abc import Callable, Iterator
from typing import Any


def pages(
    asking: Callable[..., Any], names: str = "NextToken", asked_as: str | None = None
) -> Iterator[Any]:
    """Every page. `names` is where a page names the next, `asked_as` where that is asked for.

    The SDK's own paginator belongs to its client, and takes as long as a fifth of a call.
    """
    page = asking()
    yield page
    while following := page.get(names):
        page = asking(**{asked_as or names: following})
        yield page
