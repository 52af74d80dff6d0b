"""Runs the tests against mutants, each in a fork.

A fault in a function is put into it where it stands, in a fork of a pytest that has collected
everything: the tests that reach its lines are run, the quickest first, until one fails. A fault in
a table must be there before anything is imported: a fork of a process that knows the libraries but
not the product imports, collects and runs.
"""

import contextlib
import gc
import importlib
import importlib.abc
import importlib.util
import multiprocessing
import os
import re
import resource
import signal
import sys
import time
from collections import defaultdict
from importlib.machinery import SourceFileLoader
from pathlib import Path

import coverage
import hypothesis
import moto  # noqa: F401  (known before the first fork, as are its libraries)
import pytest

from tests.mutation.mutants import PRODUCT, ROOMS

KILLED, TIMEOUT, REFUSED = "killed", "timeout", "refused"
SURVIVED, NO_TESTS = "survived", "no tests"
ARGUMENTS = [
    *("--quiet", "--assert=plain", "--no-header", "--no-summary", "--exitfirst", "--capture=no"),
    *("-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:pytest_cov"),
]
MEMORY_BYTES = 4 << 30
# A fault hangs where the tests take so many times as long, and so much more.
PATIENCE, LEAST_SECONDS = 10, 5
# Enough to show most faults; the suite itself draws more.
EXAMPLES = 25


def fork(work, seconds=0):
    """Starts it in a fork that ends with its answer as exit status."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        with contextlib.suppress(BaseException):
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(seconds)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            status = work()
    finally:
        os._exit(status)


def told(work):
    """What it returns, when a fork has worked."""
    context = multiprocessing.get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sending.send(work()))
    process.start()
    sending.close()
    try:
        return receiving.recv()
    except EOFError:
        raise SystemExit("that did not work; what went wrong stands above") from None
    finally:
        process.join()


def race(mutants, start, jobs):
    """Each with what became of it, so many at a time. `start` gives a process, or a verdict."""
    running = {}
    for mutant in mutants:
        if len(running) == jobs:
            yield _first(running)
        process = start(mutant)
        if isinstance(process, str):
            yield mutant, process
        else:
            running[process] = mutant
    while running:
        yield _first(running)


def _first(running):
    process, status = os.wait()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return running.pop(process), TIMEOUT
    return running.pop(process), SURVIVED if status == 0 else KILLED


class Reach:
    """Which tests reach which lines, and how long each takes."""

    def __init__(self, seconds, tests):
        self.seconds, self._tests = seconds, tests
        reaching = {test for lines in tests.values() for each in lines.values() for test in each}
        # What runs no line at all is about tables.
        self._of_tables = seconds.keys() - reaching

    def tests(self, mutant):
        """Those that run its lines, or where these have no code of their own, its function."""
        lines = self._tests[str(mutant.path)]
        for span in (mutant.lines, mutant.around):
            if found := {test for line in span for test in lines.get(line, ())}:
                return sorted(found, key=self.seconds.get)
        return []

    def files(self, mutant):
        """The files of tests that may notice a fault in a table; the quickest first.

        Those that run a line with its name, those named after its module, and those that run no
        line at all, which are about tables. Where no line has its name, all.
        """
        name = re.compile(rf"\b{mutant.where.rpartition('.')[2]}\b")
        likely = {
            test
            for path, lines in self._tests.items()
            for number, text in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1)
            if name.search(text)
            for test in lines.get(number, ())
        }
        seconds = defaultdict(float)
        for test in self.seconds:
            seconds[test.partition("::")[0]] += self.seconds[test]
        files = (
            {test.partition("::")[0] for test in likely | self._of_tables} if likely else seconds
        )
        own = {file for file in seconds if mutant.path.stem in file}
        return sorted(own.union(files), key=seconds.get)

    def limit(self, tests):
        """After so many seconds a fault hangs."""
        return LEAST_SECONDS + int(PATIENCE * sum(self.seconds[test] for test in tests))


class Bench:
    """A plugin: collects, then hands over instead of running."""

    def __init__(self, work):
        self._work = work
        self._failed = False
        self.answer = None

    def pytest_collection_modifyitems(self, items):
        for item in items:
            _hasten(item)

    def pytest_runtestloop(self, session):
        if session.testsfailed:
            raise session.Failed("some tests cannot be collected")
        self.items = {item.nodeid: item for item in session.items}
        gc.freeze()
        self.answer = self._work(self)
        return True

    def pytest_runtest_logreport(self, report):
        self._failed |= report.failed

    def run(self, tests):
        """Runs them in this process; the status is 1 as soon as one fails."""
        items = [self.items[test] for test in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self._failed:
                return 1
        return 0

    def reach(self):
        """Runs everything once, without a fault."""
        return told(self._reach)

    def _reach(self):
        tracer = coverage.Coverage(data_file=None, config_file=False, source=_sources())
        tracer.start()
        seconds = {}
        for test in self.items:
            _forget()
            tracer.switch_context(test)
            began = time.perf_counter()
            if self.run([test]):
                raise SystemExit(f"{test} fails without a fault")
            seconds[test] = time.perf_counter() - began
        tracer.stop()
        data = tracer.get_data()
        tests = {
            path: {
                line: {test for test in contexts if test}
                for line, contexts in data.contexts_by_lineno(path).items()
            }
            for path in data.measured_files()
        }
        return Reach(seconds, defaultdict(dict, tests))


def _forget():
    """Empties every cache of the product: what one test has filled no other would run."""
    for name, module in list(sys.modules.items()):
        if name.startswith("rollback_responder."):
            for value in vars(module).values():
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _sources():
    return [str(PRODUCT / room) for room in ROOMS]


def _hasten(item):
    """Draws fewer cases, and does not look for a simpler one that fails as well."""
    test = item.obj
    if hypothesis.is_hypothesis_test(test):
        # There is no public way to change what a decorator has set.
        given = test._hypothesis_internal_use_settings
        test._hypothesis_internal_use_settings = hypothesis.settings(
            given,
            max_examples=min(given.max_examples, EXAMPLES),
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            database=None,
        )


def collected(folders, work):
    """What `work` returns of a bench with the tests of these folders."""
    bench = Bench(work)
    status = pytest.main([*ARGUMENTS, *folders], plugins=[bench])
    if status:
        raise SystemExit(f"the tests cannot be collected ({status})")
    return bench.answer


def put_in(mutant):
    """Gives a function of a module that is imported the code with the fault in it."""
    place = importlib.import_module(mutant.imported_as)
    for name in mutant.where.split("."):
        place = vars(place)[name]
    if hasattr(place, "cache_clear"):
        place.cache_clear()
    function = getattr(place, "fget", None) or getattr(place, "__wrapped__", place)
    function.__code__ = mutant.function()


class Planted(importlib.abc.MetaPathFinder):
    """Finds a module with a fault in it."""

    def __init__(self, mutant):
        self._mutant = mutant

    def find_spec(self, name, _path, _target=None):
        mutant = self._mutant
        if name != mutant.imported_as:
            return None
        loader = SourceFileLoader(name, str(mutant.path))
        loader.get_code = lambda _name: mutant.compiled()
        return importlib.util.spec_from_loader(name, loader, origin=str(mutant.path))


def try_in_body(bench, reach, mutant):
    """A process that tries a fault in a function, or NO_TESTS."""
    tests = reach.tests(mutant)

    def work():
        put_in(mutant)
        return bench.run(tests)

    return fork(work, reach.limit(tests)) if tests else NO_TESTS


def try_in_table(reach, mutant):
    """A process that tries a fault in what is there since the import."""
    files = reach.files(mutant)

    def work():
        sys.meta_path.insert(0, Planted(mutant))
        return any(_fails(file) for file in files)

    return fork(work, LEAST_SECONDS * len(files) + int(PATIENCE * sum(reach.seconds.values())))


def _fails(file):
    bench = Bench(lambda bench: bench.run(bench.items))
    return bool(pytest.main([*ARGUMENTS, file], plugins=[bench]) or bench.answer)
