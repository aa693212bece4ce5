import signal
import subprocess
import sys
import time

from fake_parts.plain import PART
from fake_parts.running import serve_http, settings_from_command_line, wait_for_sigterm

settings = settings_from_command_line(PART)
print(settings.greeting, flush=True)
if settings.habit == "dies":
    raise ValueError("cannot find the moon")
if settings.habit == "has-workers":
    worker = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    processes = [subprocess.Popen([sys.executable, "-c", worker]) for _ in range(settings.workers)]
serve_http(settings.address, lambda path, headers: 503 if settings.habit == "never-ready" else 200)
if settings.habit == "ignores-sigterm":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("deaf", flush=True)
    time.sleep(600)
wait_for_sigterm()
