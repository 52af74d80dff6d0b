"""Who calls a function, and by which qualifier: `$LATEST`, a version, an alias.

Facts relied on (Lambda and API Gateway API references, as in the SDK's service models):
ListEventSourceMappings filters by the exact function, version or alias, so all are listed and told
apart here; GetPolicy answers ResourceNotFoundException where there is no policy; GetIntegrations is
for HTTP and WebSocket APIs, GetResources with `embed=methods` for REST APIs, and each answers
NotFoundException for an API of the other kind.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, TypeVar

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.alias_readiness import Caller, Way
from rollback_responder.domain.finding import Unread

T = TypeVar("T")
FUNCTION = re.compile(r":function:(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>[^/]+))?")
API_ARN = re.compile(r"arn:[^:]+:execute-api:[^:]*:[^:]*:(?P<api>[a-zA-Z0-9]+)")
GONE = frozenset({"ResourceNotFoundException", "NotFoundException"})


class Callers:
    """Reads them; `reader` gives a client by the SDK's name of its service."""

    def __init__(self, reader: Callable[[str], Any]) -> None:
        self._reader = reader

    def of(
        self, function: str, alias: str, known_apis: Collection[str]
    ) -> Iterator[Caller | Unread]:
        """Who calls the function. `known_apis` are looked at although no permission names them."""
        if isinstance(self._mappings, Unread):
            yield self._mappings
        else:
            yield from (caller for name, caller in self._mappings if name == function)
        apis = dict.fromkeys(known_apis)
        for qualifier in (None, alias):
            policy = read("GetPolicy", partial(self._policy, function, qualifier))
            if isinstance(policy, Unread):
                yield policy
                continue
            for principal, source in _permitted(policy or {}):
                api = API_ARN.match(source)
                if api:
                    apis[api["api"]] = None
                elif qualifier is None:
                    name = f"{principal} ({source})" if source else principal
                    yield Caller(way=Way.PERMISSION, name=name, qualifier=None)
        for api_id in apis:
            yield from self._api(api_id, function)
        url = read("GetFunctionUrlConfig", lambda: self._url(function))
        if isinstance(url, Unread):
            yield url
        elif url:
            yield Caller(way=Way.FUNCTION_URL, name=url, qualifier=None)

    @cached_property
    def _mappings(self) -> list[tuple[str, Caller]] | Unread:
        """Every enabled event source of the region, by the name of its function."""
        found = read("ListEventSourceMappings", self._list_mappings)
        return [] if found is None else found

    def _list_mappings(self) -> list[tuple[str, Caller]]:
        pages = self._reader("lambda").get_paginator("list_event_source_mappings").paginate()
        found = []
        for page in pages:
            for mapping in page["EventSourceMappings"]:
                called = FUNCTION.search(mapping["FunctionArn"])
                if called is None or mapping.get("State") in {"Disabled", "Disabling"}:
                    continue
                name = mapping.get("EventSourceArn") or mapping["UUID"]
                caller = Caller(
                    way=Way.EVENT_SOURCE, name=name, qualifier=_plain(called["qualifier"])
                )
                found.append((called["name"], caller))
        return found

    def _policy(self, function: str, qualifier: str | None) -> Mapping[str, Any]:
        which = {"Qualifier": qualifier} if qualifier else {}
        answer = self._reader("lambda").get_policy(FunctionName=function, **which)
        policy: Mapping[str, Any] = json.loads(answer["Policy"])
        return policy

    def _url(self, function: str) -> str:
        answer = self._reader("lambda").get_function_url_config(FunctionName=function)
        return str(answer["FunctionUrl"])

    def _api(self, api_id: str, function: str) -> Iterator[Caller | Unread]:
        """What of the function an API calls."""
        for reads in (self._http_targets, self._rest_targets):
            uris = read(f"API {api_id}", partial(reads, api_id))
            if isinstance(uris, Unread):
                yield uris
                return
            for uri in sorted(uris or ()):
                called = FUNCTION.search(uri)
                if called and called["name"] == function:
                    qualifier = _plain(called["qualifier"])
                    yield Caller(way=Way.API, name=api_id, qualifier=qualifier)
            if uris is not None:
                return

    def _http_targets(self, api_id: str) -> set[str]:
        pages = (
            self._reader("apigatewayv2").get_paginator("get_integrations").paginate(ApiId=api_id)
        )
        return {one.get("IntegrationUri", "") for page in pages for one in page["Items"]}

    def _rest_targets(self, api_id: str) -> set[str]:
        client = self._reader("apigateway")
        pages = client.get_paginator("get_resources").paginate(restApiId=api_id, embed=["methods"])
        return {
            method.get("methodIntegration", {}).get("uri", "")
            for page in pages
            for resource in page["items"]
            for method in resource.get("resourceMethods", {}).values()
        }


def read(what: str, call: Callable[[], T]) -> T | Unread | None:
    """What a call reads; None where AWS says that there is no such thing."""
    try:
        return call()
    except AwsError as error:
        name = name_of(error)
        return None if name in GONE else Unread(why=f"{what}: {name}")


def _plain(qualifier: str | None) -> str | None:
    return None if qualifier in {None, "$LATEST"} else qualifier


def _permitted(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each service that a resource policy lets call, and the ARN that it must come from."""
    for statement in policy.get("Statement", []):
        principal = statement.get("Principal", {})
        service = principal.get("Service") if isinstance(principal, Mapping) else None
        if statement.get("Effect") != "Allow" or not isinstance(service, str):
            continue
        conditions = statement.get("Condition", {})
        sources = [
            str(value)
            for operands in conditions.values()
            for key, value in operands.items()
            if key.lower() == "aws:sourcearn"
        ]
        yield service, sources[0] if sources else ""
