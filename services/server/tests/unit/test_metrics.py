"""What Prometheus reads. In a process of its own: its package keeps one registry for each."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

COUNT = """
import sys
from pathlib import Path
from zato.server.metrics import Metrics, render

metrics = Metrics()
for elapsed_s in (0.0005, 0.001, 0.003, 0.2, 7, 100):
    metrics.observe_request("orders", "GET", 200, elapsed_s)
metrics.observe_request("orders", "BREW", 405, 0.1)
metrics.count_refused(400)
before = render(Path(sys.argv[1]))
assert b'channel="orders"' not in before, before
metrics.flush()
metrics.flush()
print(render(Path(sys.argv[1])).decode())
"""


def test_requests_are_counted_once_and_in_the_bucket_that_they_belong_to(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COUNT, str(tmp_path)]
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert printed.returncode == 0, printed.stderr
    values = dict(re.findall(r"^(zato_http_\S+) (\S+)$", printed.stdout, re.MULTILINE))
    assert values['zato_http_requests_total{channel="orders",method="GET",status="200"}'] == "6.0"
    assert values['zato_http_requests_total{channel="orders",method="other",status="405"}'] == "1.0"
    assert values['zato_http_requests_total{channel="",method="other",status="400"}'] == "1.0"
    cumulated = {bound: values[f'zato_http_request_seconds_bucket{{channel="orders",le="{bound}"}}'] for bound in BOUNDS}
    assert cumulated == BOUNDS
    assert values['zato_http_request_seconds_count{channel="orders"}'] == "7.0"
    assert float(values['zato_http_request_seconds_sum{channel="orders"}']) == pytest.approx(107.3045)


# How many took at most so many seconds: one that took exactly as long as a bound belongs to it.
BOUNDS = {
    "0.001": "2.0",
    "0.0025": "2.0",
    "0.005": "3.0",
    "0.1": "4.0",
    "0.25": "5.0",
    "5.0": "5.0",
    "10.0": "6.0",
    "+Inf": "7.0",
}
