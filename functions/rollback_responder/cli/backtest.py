"""`rollback backtest`: what this policy would have done. It reads, and changes nothing."""

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from rollback_responder import bootstrap
from rollback_responder.bootstrap import people
from rollback_responder.cli.access import known_region
from rollback_responder.cli.backtest_text import document_of, show
from rollback_responder.cli.failure import BadUsage
from rollback_responder.cli.history import History, load, save
from rollback_responder.cli.kept import kept_in
from rollback_responder.cli.options import FILES, AsJson, PolicyFile, Profile, Region, TableName
from rollback_responder.cli.place import POLICY_FILE, read_policy
from rollback_responder.cli.reading import Reader
from rollback_responder.cli.screen import Screen
from rollback_responder.cli.whole import Backtest, with_mode
from rollback_responder.cli.whole import backtest as played
from rollback_responder.domain.policy import Policy
from rollback_responder.domain.response import Mode

MOST_DAYS = 90

Days = Annotated[
    int,
    typer.Option(
        "--days",
        min=1,
        max=MOST_DAYS,
        help="How far to read back. CloudWatch keeps minutes for 15 days, alarm history for 14.",
    ),
]
FromFolder = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="DIR",
        help="A record to play in place of reading AWS.",
        rich_help_panel=FILES,
        show_default=False,
    ),
]
ExportFolder = Annotated[
    Path | None,
    typer.Option(
        "--export",
        metavar="DIR",
        help="Write what was read there, and play nothing.",
        rich_help_panel=FILES,
        show_default=False,
    ),
]
HtmlFile = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", help="Write a page with pictures, too."),
]
AsMode = Annotated[
    Mode | None,
    typer.Option("--mode", help="Play it as if the whole policy had this mode."),
]
Sweep = Annotated[
    bool, typer.Option("--sweep/--no-sweep", help="Also play it with other thresholds.")
]


def backtest(
    *,
    days: Days = 30,
    from_folder: FromFolder = None,
    export: ExportFolder = None,
    html: HtmlFile = None,
    mode: AsMode = None,
    sweep: Sweep = True,
    as_json: AsJson = False,
    policy: PolicyFile = None,
    table: TableName = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show what this policy would have done in the last days.

    Reads alarm history, minutes, releases, deployments and stack updates, and plays them through
    the responder's own code. Nothing is touched and nothing is written but the files you name.

    Example: rollback backtest --days 14 --mode enforce --html backtest.html
    """
    draw = _drawing() if html else None
    known = read_policy(policy or POLICY_FILE)
    known = with_mode(known, mode) if mode else known
    screen = Screen()
    if from_folder:
        history = load(from_folder)
    else:
        place = people.Place(region=region, profile=profile)
        known_region(place)
        history = _read(screen, known, table, place, days)
    if export:
        screen.err.print(f"written to {save(history, export)}")
        return
    found = _play(screen, history, known, with_sweep=sweep)
    if as_json:
        screen.json(document_of(found))
    else:
        show(screen, found)
    if html and draw:
        _write(html, draw(found))


def _drawing() -> Callable[[Backtest], str]:
    """What makes the page. Loading what draws takes half a second, so it waits until here.

    Raises:
        BadUsage: matplotlib is not there.
    """
    try:
        from rollback_responder.cli import backtest_page  # noqa: PLC0415 - it may be missing
    except ModuleNotFoundError as error:
        raise BadUsage(f"--html draws pictures: {error}; pip install matplotlib") from error
    return backtest_page.page


def _read(
    screen: Screen, policy: Policy, table: str | None, place: people.Place, days: int
) -> History:
    to_at = bootstrap.utc_now().replace(second=0, microsecond=0)
    clients: dict[str, Any] = {}

    def client(service: str) -> Any:
        if service not in clients:
            clients[service] = people.reading_client(service, place)
        return clients[service]

    with screen.err.status("reading") as status:
        reader = Reader(
            policy,
            client,
            kept=kept_in(policy, client, table),
            span=(to_at - timedelta(days=days), to_at),
            progress=lambda what: status.update(f"reading {what}"),
        )
        return reader.read()


def _play(screen: Screen, history: History, policy: Policy, *, with_sweep: bool) -> Backtest:
    with _Minutes(screen) as progress, _unlogged():
        return played(history, policy, with_sweep=with_sweep, progress=progress)


@contextmanager
def _unlogged() -> Iterator[None]:
    """The house logs what it does, and in a replay it does nothing."""
    log = logging.getLogger("rollback_responder")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


class _Minutes(AbstractContextManager[Callable[[datetime], None]]):
    """Says on a terminal which hour is played."""

    def __init__(self, screen: Screen) -> None:
        self._status = screen.err.status("playing")
        self._hour: datetime | None = None

    def __enter__(self) -> Callable[[datetime], None]:
        self._status.__enter__()
        return self._at

    def __exit__(self, *raised: object) -> None:
        self._status.stop()

    def _at(self, at: datetime) -> None:
        hour = at.replace(minute=0)
        if hour != self._hour:
            self._hour = hour
            self._status.update(f"playing {hour:%d %b %H:00}")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadUsage(f"{file}: got {error.strerror}; name a file that can be written") from error
