"""What a service is called when its author gave no name."""

import re

_WORD_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def dashed(name: str) -> str:
    """
    Return a name of modules and classes in dashes: "GetClientDetails" → "get-client-details", "my_module" → "my-module".

    Runs of capitals are one word: "GetPDFFile" → "get-pdf-file".
    """
    return _WORD_STARTS.sub("-", name).replace("_", "-").lower()


def default_service_name(module: str, class_name: str) -> str:
    """Return e.g. "some-module.get-thing" for class GetThing in someModule.py."""
    return ".".join(dashed(part) for part in (*module.split("."), class_name))
