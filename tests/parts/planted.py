"""Faults of the product's own, planted on purpose in the deployed code: the judge must see each."""

import io
import zipfile

from tests.parts.plan import (
    BEFORE,
    NOTIFY,
    RESPOND,
    WATCH,
    Failure,
    Kind,
    Moment,
    Plan,
    What,
)

JOURNAL = "rollback_responder/journal/dynamodb.py"
NOTICES = "rollback_responder/journal/notices.py"
ALIAS = "rollback_responder/actions/lambda_alias.py"


def nobody_claims(stage):
    """Whoever comes holds the service, and an alias moves whatever has become of it since."""
    _changed(stage, RESPOND, JOURNAL, "ConditionExpression=condition,", "")
    _changed(stage, RESPOND, JOURNAL, '":holder"', '":id"')
    _changed(stage, RESPOND, ALIAS, "RevisionId=move.expected_revision,", "")
    # Two that are slow are sure to be under way at the same time.
    slow = "try:\n            __import__('time').sleep(2)\n            alias = self._acts"
    _changed(stage, RESPOND, ALIAS, "try:\n            alias = self._acts", slow)


def a_claim_is_for_ever(stage):
    """What somebody has claimed and not finished is never taken over."""
    for function in (RESPOND, WATCH):
        bootstrap = "rollback_responder/bootstrap/__init__.py"
        _changed(
            stage, function, bootstrap, "LEASE = timedelta(seconds=90)", "LEASE = timedelta(9)"
        )


def what_failed_is_let_go(stage):
    """What Slack did not take is not tried again."""
    handler = "rollback_responder/handlers/notify.py"
    failures = '[{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]'
    _changed(stage, NOTIFY, handler, failures, "[]")


def nobody_notes_what_was_told(stage):
    """Each telling begins at the beginning."""
    _changed(
        stage, NOTIFY, NOTICES, '"SET told = :told, head = :head"', '"SET x = :told, y = :head"'
    )


def _changed(stage, function, file, old, new):
    """Deploys a function with a text of its own code replaced."""
    packed = zipfile.ZipFile(io.BytesIO(stage.code_of(function)))
    changed = io.BytesIO()
    with zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in packed.infolist():
            content = packed.read(one)
            if one.filename == file:
                text = content.decode()
                assert old in text, f"{file} reads otherwise by now"
                content = text.replace(old, new).encode()
            archive.writestr(one, content)
    stage.deploy_code(function, changed.getvalue())


def _plan(kind, *failures):
    return Plan(seed=0, number=0, kind=kind, failures=failures)


def _at(function, number, side):
    return Moment(function=function, number=number, side=side)


AGAIN = Failure(what=What.AGAIN, at=_at(WATCH, 1, BEFORE), times=2)
KILLED = Failure(what=What.KILL, at=_at("the act", 1, BEFORE))
# While it tells how it ended, and nothing comes after that.
SILENT = Failure(what=What.SLACK, at=_at(NOTIFY, 12, BEFORE), times=1)

# Each with a round that it spoils, and the promise that it breaks.
PLANTED = {
    nobody_claims: (_plan(Kind.ALIAS, AGAIN), "twice"),
    a_claim_is_for_ever: (_plan(Kind.ALIAS, KILLED), "lost"),
    what_failed_is_let_go: (_plan(Kind.ALIAS, SILENT), "thread"),
    nobody_notes_what_was_told: (_plan(Kind.ALIAS), "thread"),
}
