from fake_parts.running import serve_http, settings_from_command_line, wait_for_sigterm
from fake_parts.scheduler import PART

settings = settings_from_command_line(PART)
serve_http(settings.grpc_address, lambda _path, _headers: 200)
wait_for_sigterm()
