"""An audit that looked nothing up says so, and never ends as if all were well."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from infra import package
from supply import audit

WEAK = {
    "id": "PYSEC-0000-1",
    "summary": "a made-up weakness",
    "affected": [
        {
            "package": {"name": "jmespath", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.9"}]}],
        }
    ],
}


@pytest.fixture
def advisories(monkeypatch, tmp_path):
    """A source of advisories on loopback that speaks as OSV does; it keeps what it was asked."""

    class Source(BaseHTTPRequestHandler):
        asked = []  # noqa: RUF012 - of this class, which is this test's
        weak = frozenset()
        status = 200

        def do_POST(self):
            length = int(self.headers["Content-Length"])
            name = json.loads(self.rfile.read(length))["package"]["name"]
            self.asked.append(name)
            body = json.dumps({"vulns": [WEAK]} if name in self.weak else {}).encode()
            self.send_response(self.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), Source) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Source.url = f"http://127.0.0.1:{server.server_port}/v1/query"
        yield Source
        server.shutdown()
        thread.join()


def run(source, *locks):
    return audit.main(["--osv-url", source.url, *map(str, locks)])


def test_all_is_well_where_every_pin_was_looked_up(advisories, capsys):
    assert run(advisories, package.REQUIREMENTS) == 0
    assert sorted(advisories.asked) == sorted(name for name, _ in audit.pins(package.REQUIREMENTS))
    said = f"functions/requirements.txt: {len(advisories.asked)} pins looked up, 0 weaknesses"
    assert said in capsys.readouterr().out


def test_a_known_weakness_is_named_with_the_version_that_mends_it(advisories, capsys):
    advisories.weak = {"jmespath"}
    assert run(advisories, package.REQUIREMENTS) == 1
    assert "jmespath 1.1.0: PYSEC-0000-1 (mended in 9.9)" in capsys.readouterr().out


def test_a_source_that_fails_is_no_audit(advisories, capsys):
    advisories.status = 500
    assert run(advisories, package.REQUIREMENTS) == 3
    assert "NOT AUDITED" in capsys.readouterr().err


def test_a_source_that_cannot_be_reached_is_no_audit(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path))
    url = "http://127.0.0.1:9/v1/query"
    assert audit.main(["--osv-url", url, str(package.REQUIREMENTS)]) == 3
    assert "NOT AUDITED" in capsys.readouterr().err


def test_a_file_without_pins_is_no_audit(advisories, tmp_path, capsys):
    empty = tmp_path / "requirements.txt"
    empty.write_text("# nothing\n")
    assert run(advisories, empty) == 3
    assert "NOT AUDITED" in capsys.readouterr().err


def test_a_pin_that_was_passed_over_is_no_audit():
    """As pip-audit 2.10 says where its source does not know a package: exit 0, and no weakness."""
    told = [
        {"name": "A_b", "version": "1", "vulns": []},
        {"name": "c", "skip_reason": "Dependency not found and could not be audited: c (2)"},
    ]
    found = audit.judged({("a-b", "1"), ("c", "2")}, told, status=0)
    assert (found.looked_up, found.unknown) == (1, "not looked up: c")


def test_an_answer_for_another_version_is_no_audit():
    told = [{"name": "a", "version": "2", "vulns": []}]
    assert audit.judged({("a", "1")}, told, status=0).unknown == "not looked up: a"


def test_a_failure_without_a_weakness_is_no_audit():
    told = [{"name": "a", "version": "1", "vulns": []}]
    assert audit.judged({("a", "1")}, told, status=1).unknown


def test_a_weakness_weighs_more_than_what_is_not_known(monkeypatch, tmp_path):
    found = iter([audit.Audit(looked_up=1, weak=("x",)), audit.Audit(looked_up=1, unknown="y")])
    monkeypatch.setattr(audit, "audit", lambda *_, **__: next(found))
    assert audit.main([str(tmp_path / "a"), str(tmp_path / "b")]) == 1
