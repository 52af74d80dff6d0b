"""Plays cases: each in a process of its own, forked at the moment before the story's first call."""

import contextlib
import gc
import json
import multiprocessing
import os
import select
import signal
import tempfile
import time
import traceback
from dataclasses import asdict
from pathlib import Path

from infra import sdk_data
from rollback_responder import bootstrap
from rollback_responder.bootstrap import people
from tests.wire import judge
from tests.wire.account import Account
from tests.wire.commands import SAID
from tests.wire.doors import LATE_SECONDS, QUICK_SECONDS, Doors
from tests.wire.matrix import Fault, Form
from tests.wire.proxy import Proxy, until
from tests.wire.stories import STORIES, Story, said

# Longer than any case takes on a slow machine; one that hangs is a wrong end, not a wait.
MOST_SECONDS = 60


class Stage:
    """Where stories are played; a context manager. One a process, one story at a time."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        sdk_data.write(folder / "sdk")
        self.doors = Doors(folder)
        self.proxy = Proxy(self.doors.server.url)
        self.doors.proxy_url = self.proxy.url
        self._begun = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.proxy.__exit__()
        self._folder.cleanup()

    def begun(self, begin):
        """The account in which a story is about to begin. It is made once and never played on."""
        if not self._begun:
            # Whatever is read or compiled but once, is before a process is forked for each case.
            with self._opening():
                STORIES["alias"].play(STORIES["alias"].begin())
        if begin not in self._begun:
            with self._opening():
                self._begun[begin] = begin()
            # Nothing of it is garbage, and no forked process need look.
            gc.collect()
            gc.freeze()
        return self._begun[begin]

    @contextlib.contextmanager
    def _opening(self):
        """A story's beginning makes its account by itself, and needs it open from then on."""
        stack = contextlib.ExitStack()
        plain = Account.__init__
        doors = self.doors

        def opened(account, document):
            plain(account, document)
            stack.enter_context(doors.open(account))

        Account.__init__ = opened
        try:
            with stack:
                yield
        finally:
            Account.__init__ = plain

    def play(self, case):
        """What is to be seen after a case, or after a story or command where nothing goes wrong."""
        name = case if isinstance(case, str) else case.point.story
        story = STORIES.get(name) or _command(name)
        self.begun(story.begin)
        ours, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(ours)
            gc.disable()
            found = self._played(story, None if isinstance(case, str) else case)
            with os.fdopen(theirs, "w") as pipe:
                json.dump(found, pipe)
            os._exit(0)
        os.close(theirs)
        return self._read(child, ours)

    def _read(self, child, pipe):
        deadline, told = time.monotonic() + MOST_SECONDS, b""
        while True:
            ready, _, _ = select.select([pipe], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                os.kill(child, signal.SIGKILL)
                told = json.dumps({"broken": f"no end within {MOST_SECONDS} s"}).encode()
                break
            if not (chunk := os.read(pipe, 65536)):
                break
            told += chunk
        os.close(pipe)
        os.waitpid(child, 0)
        return json.loads(told or b'{"broken": "it died"}')

    def _played(self, story, case):
        try:
            return self._seen(story, case)
        except BaseException:  # noqa: BLE001 - this process has no other way to tell
            return {"broken": traceback.format_exc()}

    def _seen(self, story, case):
        began = time.monotonic()
        account = self.begun(story.begin)
        account.seen.clear()
        account.newest = judge.incidents_of(account)[-1].id if judge.incidents_of(account) else ""
        before = judge.before(account)
        self.proxy.set(*([case.rule] if case else []))
        late = case is not None and case.fault is Fault.LATE
        # A read that is answered late changes nothing.
        drains = late and case.point.writes
        self.doors.drain = self._drain(account, case) if drains else lambda: None
        proxied = case.point.service if case else None
        with self.doors.open(account, proxied=proxied, quick=late):
            self._for_commands(case, quick=late)
            story.play(account)
            fired = self.proxy.fired()
            found = asdict(judge.seen(account, before, story.acts.count("forward")))
            if case and case.form is Form.EVER:
                self.proxy.set()
                account.hears = False
                account.pass_minutes(3)
                after = judge.seen(account, before, story.acts.count("forward"))
                found["after"] = {"acts": after.acts, "ends": after.ends, "wrong": after.wrong}
            untold = list(
                judge.untold(
                    account,
                    [
                        one
                        for one in judge.incidents_of(account)
                        if one.is_open or one not in before.incidents
                    ],
                )
            )
        return found | {
            "fired": fired,
            "untold": untold,
            "raised": account.raised[:8],
            "calls_made": sorted(f"{service}:{name}" for service, name in account.seen),
            "requests": sum(account.seen.values()),
            "seconds": round(time.monotonic() - began, 2),
        }

    def _drain(self, account, case):
        """Waits for what the SDK gave up on: it is forwarded, late."""
        key = case.point.service, case.point.operation
        behind = {"fired": 0}

        def drain():
            fired = self.proxy.fired()
            if fired > behind["fired"]:
                behind["fired"] = fired
                time.sleep(LATE_SECONDS - QUICK_SECONDS + 0.1)
                until(lambda: account.seen[key] >= fired, what=f"{key} is not forwarded")

        return drain

    def _for_commands(self, case, *, quick):
        """Commands make clients of their own, with a person's settings."""
        if case is None:
            return
        service = case.point.service.upper().replace(" ", "_")
        if case.point.story in {"order", "now"}:
            os.environ[f"AWS_ENDPOINT_URL_{service}"] = self.proxy.url
            # The adaptive mode sends as often, and waits by a clock of its own.
            config = people._config
            people._config = lambda limits, **_: config(limits)
            if quick:
                bootstrap.READS = bootstrap.READS._replace(read=QUICK_SECONDS)
                people.PATIENT = people.PATIENT._replace(read=QUICK_SECONDS)


def _command(name):
    begin, words = SAID[name]
    return Story(begin=begin, play=said(*words), about=f"`rollback {name}`")


def played(cases, jobs, plant=lambda: None):
    """Plays cases in so many processes; yields each with what was seen, as they are done.

    `plant` is called in each process before anything else.
    """
    context = multiprocessing.get_context("fork")
    # Those of one story lie together: it is begun once in each process that gets to it.
    wanted = sorted(cases, key=lambda case: case.point.story)
    taken, done = context.Value("i", 0), context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(wanted, taken, done, plant)) for _ in range(jobs)
    ]
    for worker in workers:
        worker.start()
    left = jobs
    while left:
        found = done.get()
        if found is None:
            left -= 1
            continue
        yield found
    for worker in workers:
        worker.join()


def _work(wanted, taken, done, plant):
    try:
        plant()
        with Stage() as stage:
            while True:
                with taken.get_lock():
                    number, taken.value = taken.value, taken.value + 1
                if number >= len(wanted):
                    return
                done.put((wanted[number], stage.play(wanted[number])))
    finally:
        done.put(None)
