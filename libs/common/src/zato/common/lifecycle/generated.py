"""Which secrets of a part are made up when nobody gives them, and how."""

from collections.abc import Callable, Iterable, Mapping

from zato.common.options import Option

# By the end of the option's name; what matches none can't be made up and has to be given.
_generators: tuple[tuple[str, str], ...] = (
    ("secret_key", "generate_key"),
    ("password", "generate_password"),
    ("token", "generate_token"),
)


def is_generated(option: Option) -> bool:
    """Whether a secret that is not given is made up: when it is needed, and when it can be."""
    return option.secret and option.is_required and any(option.name.endswith(suffix) for suffix, _ in _generators)


def generate_missing(declared: Iterable[Option], given: Mapping[str, object]) -> dict[str, str]:
    """Return values for the secrets that are not given and can be made up."""
    from zato.common import secrets

    made = {}
    for option in declared:
        if is_generated(option) and option.name not in given:
            name = next(name for suffix, name in _generators if option.name.endswith(suffix))
            generate: Callable[[], str] = getattr(secrets, name)
            made[option.name] = generate()
    return made
