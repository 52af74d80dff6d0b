"""Findings of cdk-nag that are right as they are, each acknowledged with its reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

PACK = "AwsSolutions"


def acknowledge(construct: IConstruct, *, finding: str, reason: str) -> None:
    """Accepts one finding on one construct and what is below it.

    Args:
        construct: as low in the tree as the finding is.
        finding: the rule's id as cdk-nag prints it, with what is in brackets.
        reason: why it is right as it is.
    """
    accepted = Acknowledgment(id=f"{PACK}::{PACK}-{finding}", reason=reason)
    Validations.of(construct).acknowledge(accepted)
