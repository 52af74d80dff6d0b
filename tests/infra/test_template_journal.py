"""What must outlive everything: the journal and the Slack secret."""

import json


def test_the_journals_table_is_so(responder):
    table = responder.properties("Journal")
    assert table["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert {d["AttributeName"]: d["AttributeType"] for d in table["AttributeDefinitions"]} == {
        "pk": "S",
        "sk": "S",
    }
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_the_journal_is_not_lost_by_a_mistake(responder):
    table = responder.resources["Journal"]
    assert table["Properties"]["PointInTimeRecoverySpecification"] == {
        "PointInTimeRecoveryEnabled": True
    }
    assert table["Properties"]["DeletionProtectionEnabled"] is True
    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"


def test_the_journal_needs_no_key_to_be_read_in_an_outage(responder):
    """DynamoDB's own key encrypts it at rest."""
    assert "SSESpecification" not in responder.properties("Journal")


def test_the_slack_secret_is_kept_and_holds_nothing_yet(responder):
    secret = responder.resources["SlackSecret"]
    assert secret["DeletionPolicy"] == secret["UpdateReplacePolicy"] == "Retain"
    assert secret["Properties"]["Name"] == "rollback-responder/test/slack"
    assert json.loads(secret["Properties"]["SecretString"]) == {"webhook_url": ""}


def test_an_output_says_how_to_fill_the_slack_secret(responder):
    command = responder.outputs()["FillSlackSecret"]["Value"]
    assert command == (
        "aws secretsmanager put-secret-value --secret-id rollback-responder/test/slack "
        "--secret-string file://slack.json"
    )
