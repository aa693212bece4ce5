"""The contract `Jobs`: messages in, messages out."""

from collections.abc import Callable, Mapping

from zato.proto.jobs.v1 import jobs_pb2 as messages
from zato.server.jobs.claims import Claims
from zato.server.jobs.leadership import Leadership
from zato.server.jobs.runner import Runner
from zato.server.jobs.runs import Runs
from zato.server.rpc import Call


class JobsRPC:
    def __init__(self, leadership: Leadership, claims: Claims, runs: Runs, runner: Runner) -> None:
        self._leadership = leadership
        self._claims = claims
        self._runs = runs
        self._runner = runner

    @property
    def methods(self) -> Mapping[str, Callable[[Call], bytes]]:
        return {
            "Jobs/Lead": self._lead,
            "Jobs/Resign": self._resign,
            "Jobs/GetState": self._get_state,
            "Jobs/Claim": self._claim,
            "Jobs/Run": self._run,
            "Jobs/SetPaused": self._set_paused,
        }

    def _lead(self, call: Call) -> bytes:
        return self._leadership.lead(messages.LeadRequest.FromString(call.message)).SerializeToString()

    def _resign(self, call: Call) -> bytes:
        self._leadership.resign(messages.ResignRequest.FromString(call.message).epoch)
        return messages.ResignResponse().SerializeToString()

    def _get_state(self, call: Call) -> bytes:
        return self._runs.state(messages.GetStateRequest.FromString(call.message)).SerializeToString()

    def _claim(self, call: Call) -> bytes:
        return self._claims.claim(messages.ClaimRequest.FromString(call.message)).SerializeToString()

    def _run(self, call: Call) -> bytes:
        request = messages.RunRequest.FromString(call.message)
        return self._runner.run(request.run_id, request.epoch).SerializeToString()

    def _set_paused(self, call: Call) -> bytes:
        self._leadership.set_paused(messages.SetPausedRequest.FromString(call.message).is_paused, call.author)
        return messages.SetPausedResponse().SerializeToString()
