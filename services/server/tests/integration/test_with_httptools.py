"""With the other parser all is as it is with the first one."""

import pytest

from .conftest import Server, StartServer, deploy_samples
from .test_bad_requests import test_a_bad_request_gets_the_right_answer_and_harms_nobody as test_bad_request
from .test_http_connections import (
    test_a_body_comes_in_chunks_with_extensions_and_trailers as test_chunks,
)
from .test_http_connections import test_a_body_that_is_too_large_is_refused_before_it_is_sent as test_too_large
from .test_http_connections import test_a_request_arrives_byte_by_byte as test_byte_by_byte
from .test_http_connections import test_bodies_of_megabytes_go_both_ways as test_megabytes
from .test_http_connections import test_head_is_get_without_the_body as test_head
from .test_http_connections import test_http_1_0_closes_unless_it_asks_to_be_kept as test_http_1_0
from .test_http_connections import test_many_requests_go_over_one_connection as test_keep_alive
from .test_http_connections import test_pipelined_requests_are_all_answered_in_their_order as test_pipelining
from .test_http_connections import test_who_asks_to_close_is_answered_and_closed as test_close
from .test_http_connections import test_who_expects_100_continue_gets_it_before_it_sends_the_body as test_continue

__all__ = [
    "test_bad_request",
    "test_byte_by_byte",
    "test_chunks",
    "test_close",
    "test_continue",
    "test_head",
    "test_http_1_0",
    "test_keep_alive",
    "test_megabytes",
    "test_pipelining",
    "test_too_large",
]
pytestmark = pytest.mark.redis


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Server:
    server = start_server(http_parser="httptools")
    deploy_samples(server)
    return server
