"""Reading what HAProxy prints. The samples are HAProxy 2.6's own, shortened to the columns that are read."""

import pytest

from zato.lb_agent.statistics import active_requests_of, failed_reloads_of, info_of, servers_of, statistics_of, workers_of

HEADER = "# pxname,svname,qcur,scur,stot,econ,eresp,status,weight,type,check_status,check_code,addr,"
PROCESSES = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
24768           master          1 [failed: 2]   0d00h00m01s     2.6.12-1+deb12u4
# workers
24915           worker          0               0d00h00m00s     2.6.12-1+deb12u4
# old workers
24801           worker          1               0d00h00m01s     2.6.12-1+deb12u4
# programs

"""


def server(status: str = "UP", weight: int = 100, check: str = "L7OK", code: str = "200") -> str:
    return f"servers,server1,0,3,17,1,2,{status},{weight},2,{check},{code},127.0.0.1:18101,"


def test_a_server() -> None:
    (found,) = servers_of(f"{HEADER}\n{server()}\n\n")
    assert (found.name, found.endpoint, found.weight, found.is_in_maintenance) == ("server1", "127.0.0.1:18101", 100, False)
    assert (found.active_requests, found.total_requests, found.errors) == (3, 17, 3)
    assert (found.state, found.last_check) == ("up", "L7OK")


@pytest.mark.parametrize(
    ("row", "state", "last_check"),
    [
        (server("UP 1/2"), "up", "L7OK"),
        (server("UP", check="* L7OK"), "up", "L7OK"),
        (server("UP", check="INI", code=""), "checking", ""),
        (server("UP 1/2", check="", code=""), "checking", ""),
        (server("DOWN", check="L4CON", code=""), "down", "L4CON"),
        (server("DOWN 1/2", check="L7STS", code="503"), "down", "L7STS/503"),
        (server("UP", weight=0), "drain", "L7OK"),
        (server("DOWN", weight=0, check="L4CON", code=""), "down", "L4CON"),
        (server("MAINT", check="", code=""), "drain", ""),
        (server("DRAIN"), "drain", "L7OK"),
    ],
)
def test_states(row: str, state: str, last_check: str) -> None:
    (found,) = servers_of(f"{HEADER}\n{row}\n")
    assert (found.state, found.last_check) == (state, last_check)


def test_only_servers_are_servers() -> None:
    assert servers_of(f"{HEADER}\nservers,BACKEND,4,5,99,0,0,UP,200,1,,,,\n") == ()
    assert servers_of("") == ()


def test_requests_that_wait_are_active_too() -> None:
    assert active_requests_of(f"{HEADER}\n{server()}\nservers,BACKEND,4,5,99,0,0,UP,200,1,,,,\n") == 9
    assert active_requests_of("") == 0


def test_info() -> None:
    assert info_of("Name: HAProxy\nPid: 7439\nnode: \nUptime: 0d 0h00m03s\n\n")["Pid"] == "7439"


def test_workers() -> None:
    assert workers_of(PROCESSES) == (24915, 24801)
    assert workers_of("") == ()


def test_failed_reloads() -> None:
    assert failed_reloads_of(PROCESSES) == 2
    assert failed_reloads_of(PROCESSES.replace(" [failed: 2]", "")) == 0


def test_statistics_of_frontends_backends_and_servers() -> None:
    columns = "pxname,svname,type,status,scur,smax,stot,rate,req_tot,req_rate,bin,bout,qcur,dreq,ereq,econ,eresp,wretr"
    columns += ",hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,qtime,ctime,rtime,ttime,downtime"
    rows = [
        "http,FRONTEND,0,OPEN,4,9,20,3,50,6,100,200,,1,2,,,,40,3,5,2,,,,,",
        "http,socket,3,OPEN,,,,,,,,,,,,,,,,,,,,,,,",
        "servers,server1,2,DOWN 1/2,1,2,30,4,,,10,20,0,,,7,8,9,20,1,2,3,0,1,15,17,60",
        "servers,BACKEND,1,UP,1,2,31,4,50,5,10,20,3,0,,7,8,9,20,1,2,3,0,1,15,17,0",
    ]
    frontend, server, backend = statistics_of("# " + "\n".join([columns, *rows]))
    assert (frontend.kind, frontend.proxy, frontend.server, frontend.state) == ("frontend", "http", "", "OPEN")
    assert (frontend.requests, frontend.requests_per_s, frontend.refused_requests) == (50, 6, 3)
    assert (frontend.answers_2xx, frontend.answers_5xx, frontend.total_ms) == (40, 2, 0)
    assert (server.kind, server.server, server.state) == ("server", "server1", "DOWN 1/2")
    assert (server.requests, server.down_s) == (30, 60)
    assert (server.failed_connections, server.failed_answers, server.retries, server.answer_ms) == (7, 8, 9, 15)
    assert (backend.kind, backend.server, backend.requests, backend.waiting) == ("backend", "", 50, 3)
