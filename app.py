"""The CDK app: context `rollback` -> policy -> stacks. The CDK command line runs it."""

import sys

from aws_cdk import App

from infra.context import ContextError, read_policy
from infra.grants.grant import GrantError
from infra.package import PackageError
from infra.stacks import build
from rollback_responder.domain.errors import PolicyError

try:
    # Usage analytics would put a line of no use to anybody into each template.
    app = App(analytics_reporting=False)
    build(app, read_policy(app))
except (ContextError, GrantError, PackageError, PolicyError) as error:
    sys.exit(str(error))
app.synth()
