"""Answers that come in pages."""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import PaginationError


def pages(
    asking: Callable[..., Any], names: str = "NextToken", asked_as: str | None = None
) -> Iterator[Any]:
    """Every page. `names` is where a page names the next, `asked_as` where that is asked for.

    The SDK's own paginator belongs to its client, and takes as long as a fifth of a call.

    Raises:
        PaginationError: a page names itself as the next, as that raises it.
    """
    page = asking()
    yield page
    last = None
    while following := page.get(names):
        if following == last:
            raise PaginationError(message=f"The same next token was received twice: {following}")
        page, last = asking(**{asked_as or names: following}), following
        yield page
