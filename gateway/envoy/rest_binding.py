"""One HTTP rule of an rpc, as data for the REST front filter."""

from typing import Any

from google.api import http_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from gateway.envoy.descriptors import HTTP_BODY
from gateway.envoy.path_template import PathTemplate
from gateway.envoy.rest_fields import ARRAY, RestFields, find_field


def rest_binding(
    rule: http_pb2.HttpRule, template: PathTemplate, rpc: MethodDescriptor, fields: RestFields
) -> dict[str, Any]:
    """What the path, the query and the body may give, and what the answer is.

    Raises ValueError if the rule does not fit the rpc's messages.
    """
    request = rpc.input_type
    whole = fields.message(request)
    variables = [_variable(request, path, fields) for path in template.variables]
    binding = {
        "message": request.full_name,
        "values": template.values,
        "variables": variables,
        "checked": any("check" in variable["field"] for variable in variables),
        "open": template.ends_in_wildcard,
        "root": _root(rule.body, rpc, fields, _tree(template.variables)),
    }
    if rule.body != "*" and "message" in whole:
        binding["query"] = request.full_name
    if rule.response_body:
        binding["response"] = _response(rule.response_body, rpc)
    return binding


def _variable(request: Descriptor, path: str, fields: RestFields) -> dict[str, Any]:
    """A field that the path gives."""
    field = fields.field(find_field(request, path))
    if "opens" in field:
        raise ValueError(f"{path}: a variable of a path is one value")
    return {"path": path, "field": field}


def _tree(paths: list[str]) -> Any:
    """The paths with their names one in the other, and True at the ends."""
    tree: dict[str, Any] = {}
    for path in paths:
        *outer, last = path.split(".")
        within = tree
        for name in outer:
            within = within.setdefault(name, {})
        if last in within:
            raise ValueError(f"{path}: the path gives it twice")
        within[last] = True
    return tree


def _root(body: str, rpc: MethodDescriptor, fields: RestFields, taken: Any) -> dict[str, Any]:
    """What the JSON document must be, and what of it the path gives; nothing: there is no body."""
    if not body:
        return {}
    if body == "*":
        if rpc.input_type.full_name == HTTP_BODY:
            return {"raw": True}
        rule = fields.message(rpc.input_type)
        return {"field": {"each": rule, **ARRAY} if rpc.client_streaming else rule, "taken": taken}
    field = find_field(rpc.input_type, body)
    if field.message_type and field.message_type.full_name == HTTP_BODY:
        return {"raw": True}
    for name in body.split("."):
        taken = taken.get(name, {})
        if taken is True:
            raise ValueError(f"{body}: both the path and the body give it")
    return {"name": body, "field": fields.field(field), "taken": taken}


def _response(name: str, rpc: MethodDescriptor) -> dict[str, Any]:
    """The field that is the answer, by its name as the transcoder writes it."""
    response = rpc.output_type
    if name not in response.fields_by_name:
        raise ValueError(f"{response.full_name} has no field {name}")
    field = response.fields_by_name[name]
    kind = field.message_type
    if kind and kind.full_name == HTTP_BODY:
        raise ValueError(f"{name}: an HttpBody is the whole answer or none")
    return {
        "name": f'"{field.json_name}":',
        "alone": len(response.fields) == 1,
        "unset": "{}" if kind and kind.file.package != "google.protobuf" else "null",
        "stream": rpc.server_streaming,
    }
