"""What comes in pages is read to its end, by the names that the SDK's own paginators have."""

from datetime import UTC, datetime

import pytest
from botocore.loaders import Loader

from rollback_responder.actions.codedeploy_group import CodeDeployGroupAction
from rollback_responder.iam import RolePermissions
from rollback_responder.journal.annals import DynamoDbAnnals
from rollback_responder.metrics.pulse import CloudWatchPulse
from tests.builders import GROUP

NOW = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)


def in_flight(client):
    return CodeDeployGroupAction(reads=client, acts=client)._in_flight(GROUP)


def decisions(client):
    role = RolePermissions(client, role_arn="arn:aws:iam::1:role/r", account_id="1", region="r")
    return list(role._decisions("*", (), {}))


def archived(client):
    return list(DynamoDbAnnals(client, "t")._between("shop", "incident#", ("a", "b")))


def beats(client):
    return CloudWatchPulse(client, "test").beats(NOW, NOW)


# The service, the operation, what of a page is read, who reads it, and what comes of two pages.
READERS = [
    ("codedeploy", "ListDeployments", lambda n: {"deployments": [f"d-{n}"]}, in_flight, 2),
    (
        "iam",
        "SimulatePrincipalPolicy",
        lambda n: {"EvaluationResults": [{"EvalActionName": str(n), "EvalDecision": "allowed"}]},
        decisions,
        2,
    ),
    ("dynamodb", "Query", lambda n: {"Items": [{"n": n}]}, archived, 2),
    ("cloudwatch", "GetMetricData", lambda _: {"MetricDataResults": [{"Values": [1.0]}]}, beats, 2),
]


@pytest.mark.parametrize(
    ("service", "operation", "page", "read", "found"), READERS, ids=[each[1] for each in READERS]
)
def test_the_second_page_is_asked_for_and_read(service, operation, page, read, found):
    loader = Loader()
    version = loader.determine_latest_version(service, "service-2")
    names = loader.load_service_model(service, "paginators-1", version)["pagination"][operation]
    asked = []

    class Client:
        def __getattr__(self, name):
            return self.answer

        def answer(self, **arguments):
            asked.append(arguments.get(names["input_token"]))
            following = {names["output_token"]: "more"} if len(asked) == 1 else {}
            return page(len(asked)) | following

    came = read(Client())

    assert asked == [None, "more"]
    assert (came if isinstance(came, int) else len(came)) == found
