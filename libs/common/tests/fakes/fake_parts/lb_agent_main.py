from collections.abc import Mapping

from fake_parts.lb_agent import PART
from fake_parts.running import serve_http, settings_from_command_line, wait_for_sigterm


def answer(path: str, headers: Mapping[str, str]) -> int:
    if path.startswith("/zato/api/invoke/"):
        return 200 if headers.get("Authorization", "").startswith("Basic ") else 401
    return 200


settings = settings_from_command_line(PART)
serve_http(settings.frontend_address, answer)
serve_http(settings.grpc_address, answer)
wait_for_sigterm()
