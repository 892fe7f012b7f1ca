"""Read a CloudFormation template: resources by type and function, names in place of references."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

type Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Template:
    """A synthesized template."""

    content: dict[str, Any]

    def all_of(self, resource_type: str) -> dict[str, Resource]:
        """Return the properties of all resources of a type, by logical id."""
        return {
            logical_id: resource.get("Properties", {})
            for logical_id, resource in self.content["Resources"].items()
            if resource["Type"] == resource_type
        }

    def properties(self, reference: object) -> Resource:
        """Return the properties of the resource that a Ref or Fn::GetAtt points at."""
        resource: Resource = self.content["Resources"][_target(reference)]["Properties"]
        return resource

    def functions(self) -> dict[str, tuple[str, Resource]]:
        """Return logical id and properties of each function, by service and trigger: `orders listener`, `orders relay`.

        The functions that CDK adds to copy the client's files belong to no service and are left out.
        """
        found = {}
        for logical_id, function in self.all_of("AWS::Lambda::Function").items():
            service = function.get("Environment", {}).get("Variables", {}).get("POWERTOOLS_SERVICE_NAME")
            if service is None:
                continue
            trigger = function["Handler"].split(".")[-2]
            found[f"{service} {trigger}"] = (logical_id, function)
        return found

    def function(self, name: str) -> Resource:
        """Return the properties of one function."""
        return self.functions()[name][1]

    def name_of_function(self, reference: object) -> str:
        """Return the key in `functions` of the function that a reference points at."""
        target = _target(reference)
        return next(name for name, (logical_id, _) in self.functions().items() if logical_id == target)

    def statements(self, role: object) -> Iterator[Resource]:
        """Return all policy statements of a role."""
        target = _target(role)
        assert "ManagedPolicyArns" not in self.content["Resources"][target]["Properties"]
        assert "Policies" not in self.content["Resources"][target]["Properties"]
        for policy in self.all_of("AWS::IAM::Policy").values():
            if {"Ref": target} in policy["Roles"]:
                yield from policy["PolicyDocument"]["Statement"]

    def say(self, value: object) -> str:
        """Return a value with each reference replaced by the path of the construct it points at."""
        match value:
            case str():
                return value
            case {"Ref": str(name)} if name.startswith("AWS::"):
                return name.removeprefix("AWS::")
            case {"Ref": _} | {"Fn::GetAtt": [_, "Arn"]}:
                return self._path(_target(value))
            case {"Fn::GetAtt": [_, str(attribute)]}:
                return f"{self._path(_target(value))}.{attribute}"
            case {"Fn::Join": [str(glue), list(parts)]}:
                return glue.join(self.say(part) for part in parts)
            case {"Fn::Sub": str(text)}:
                return text
            case _:
                raise AssertionError(f"cannot say {value}")

    def _path(self, logical_id: str) -> str:
        path: str = self.content["Resources"][logical_id]["Metadata"]["aws:cdk:path"]
        return path.split("/", 1)[1].removesuffix("/Resource")


def as_list(value: object) -> list[Any]:
    """Return a policy's field as a list; IAM allows a single value in its place."""
    return value if isinstance(value, list) else [value]


def _target(reference: object) -> str:
    match reference:
        case {"Ref": str(target)} | {"Fn::GetAtt": [str(target), _]}:
            return target
        case _:
            raise AssertionError(f"{reference} points at nothing in the template")
