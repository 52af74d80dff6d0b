"""Who calls a function, and by which qualifier: `$LATEST`, a version, an alias.

Facts relied on (Lambda and API Gateway API references, as in the SDK's service models):
ListEventSourceMappings filters by the exact function, version or alias, so all are listed and told
apart here; GetPolicy answers ResourceNotFoundException where there is no policy; GetIntegrations is
for HTTP and WebSocket APIs, GetResources with `embed=methods` for REST APIs, and each answers
NotFoundException for an API of the other kind; GetRestApis lists REST APIs with ids and names, and
CloudWatch knows these by their name (API Gateway developer guide, "REST API dimensions").
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cached_property, partial
from typing import Any, NamedTuple, TypeVar

from rollback_responder.aws_error import AwsError, name_of
from rollback_responder.domain.alias_readiness import Caller, Way
from rollback_responder.domain.finding import Unread
from rollback_responder.domain.trigger import Api, ApiType

T = TypeVar("T")
FUNCTION = re.compile(r":function:(?P<name>[a-zA-Z0-9-_]+)(?::(?P<qualifier>[^/]+))?")
API_ARN = re.compile(r"arn:[^:]+:execute-api:[^:]*:[^:]*:(?P<api>[a-zA-Z0-9]+)")
GONE = frozenset({"ResourceNotFoundException", "NotFoundException"})


class ApiId(NamedTuple):
    """An API by its id, and what people know it by."""

    api_id: str
    title: str


class Callers:
    """Reads them; `reader` gives a client by the SDK's name of its service."""

    def __init__(self, reader: Callable[[str], Any]) -> None:
        self._reader = reader

    def of(
        self, function: str, alias: str, known_apis: Collection[Api]
    ) -> Iterator[Caller | Unread]:
        """Who calls the function. `known_apis` are looked at although no permission names them."""
        yield from self._event_sources(function)
        apis: dict[str, str] = {}
        for found in (*self._known(known_apis), *self._allowed(function, alias)):
            if isinstance(found, ApiId):
                apis.setdefault(found.api_id, found.title)
            else:
                yield found
        for api_id, title in sorted(apis.items()):
            yield from self._api(api_id, title, function)
        url = read("GetFunctionUrlConfig", lambda: self._url(function))
        if isinstance(url, Unread):
            yield url
        elif url:
            yield Caller(way=Way.FUNCTION_URL, name=url, qualifier=None)

    def _event_sources(self, function: str) -> Iterator[Caller | Unread]:
        if isinstance(self._mappings, Unread):
            yield self._mappings
        else:
            yield from (caller for name, caller in self._mappings if name == function)

    def _allowed(self, function: str, alias: str) -> Iterator[ApiId | Caller | Unread]:
        """Whom the function's policies let call it; of an API more is to be read."""
        for qualifier in (None, alias):
            policy = read("GetPolicy", partial(self._policy, function, qualifier))
            if isinstance(policy, Unread):
                yield policy
                continue
            for principal, source in _permitted(policy or {}):
                api = API_ARN.match(source)
                if api:
                    yield ApiId(api["api"], api["api"])
                elif qualifier is None:
                    name = f"{principal} ({source})" if source else principal
                    yield Caller(way=Way.PERMISSION, name=name, qualifier=None)

    def _known(self, apis: Collection[Api]) -> Iterator[ApiId | Unread]:
        """The ids of the policy's APIs; REST APIs it knows by their name, as their metrics do."""
        yield from (ApiId(api.name, api.name) for api in apis if api.type is ApiType.HTTP)
        names = {api.name for api in apis if api.type is ApiType.REST}
        known = self._rest_apis if names else []
        if isinstance(known, Unread):
            yield known
        else:
            yield from (ApiId(i, f"{name} ({i})") for i, name in known if name in names)

    @cached_property
    def _rest_apis(self) -> list[tuple[str, str]] | Unread:
        """Every REST API of the region, by id and name; several may have the same name."""
        return read("GetRestApis", self._list_rest_apis) or []

    def _list_rest_apis(self) -> list[tuple[str, str]]:
        pages = self._reader("apigateway").get_paginator("get_rest_apis").paginate()
        return [(one["id"], one["name"]) for page in pages for one in page["items"]]

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

    def _api(self, api_id: str, title: str, function: str) -> Iterator[Caller | Unread]:
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
                    yield Caller(way=Way.API, name=title, qualifier=qualifier)
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
