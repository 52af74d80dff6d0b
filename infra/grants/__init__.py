"""Least privilege for each kind of target: to act, to read before standing down, to watch."""

from collections.abc import Iterator
from typing import assert_never

from infra.grants import lambda_alias
from infra.grants.grant import Grant
from rollback_responder.domain.policy import Mode, Policy
from rollback_responder.domain.target import LambdaAlias, Target


def respond_grants(policy: Policy) -> Iterator[Grant]:
    """What `respond` needs: a service that is only observed cannot be moved, whatever the code."""
    for service in policy.services:
        for target in service.targets:
            match policy.mode_of(service):
                case Mode.ENFORCE:
                    yield _act(target)
                case Mode.OBSERVE:
                    yield _read(target)
                case mode:
                    assert_never(mode)


def watch_grants(policy: Policy) -> Iterator[Grant]:
    """What `watch` needs: it looks further than `respond`, and moves nothing."""
    for service in policy.services:
        for target in service.targets:
            yield _observe(target)


def _act(target: Target) -> Grant:
    match target:
        case LambdaAlias():
            return lambda_alias.act(target)
        case _:
            assert_never(target)


def _read(target: Target) -> Grant:
    match target:
        case LambdaAlias():
            return lambda_alias.read(target)
        case _:
            assert_never(target)


def _observe(target: Target) -> Grant:
    match target:
        case LambdaAlias():
            return lambda_alias.observe(target)
        case _:
            assert_never(target)
