"""kill -9 while certificates are issued: what was answered is kept, and nothing is half done."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from running_ca import CAProcess

from zato.ca.audit import verify
from zato.common.certificates.enrolment import enrol
from zato.common.certificates.identity import Identity
from zato.common.certificates.tokens import EnrolmentToken
from zato.common.errors import ZatoError
from zato.common.testing.waiting import eventually

pytestmark = pytest.mark.timeout(120)

ROUNDS = 5
PER_ROUND = 40
KILLED_AFTER = 10


class Enrolling:
    """Enrols one part after the other until the authority is gone."""

    def __init__(self, folder: Path, tokens: list[EnrolmentToken]) -> None:
        self.done: list[Identity] = []
        self.unanswered: list[EnrolmentToken] = []
        self._folder = folder
        self._tokens = tokens
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        for token in self._tokens:
            identity = Identity(self._folder / token.name)
            try:
                enrol(identity, token)
            except ZatoError:
                self.unanswered.append(token)
                return
            self.done.append(identity)


def test_the_state_survives_being_killed_while_it_issues(new_ca: Callable[..., CAProcess], tmp_path: Path) -> None:
    ca = new_ca().start()
    answered: dict[str, str] = {}
    for round_ in range(ROUNDS):
        tokens = [ca.token(f"part-{round_}-{number}") for number in range(PER_ROUND)]
        workers = [Enrolling(tmp_path, tokens[index::2]) for index in range(2)]
        eventually(lambda workers=workers: sum(len(worker.done) for worker in workers) >= KILLED_AFTER)
        ca.kill()
        for worker in workers:
            worker.join()
        ca.start()
        # Whoever got no answer asks again, with the key and the request that are on its disk.
        lost = [token for worker in workers for token in worker.unanswered]
        assert lost, "it was killed too late to show anything"
        for token in lost:
            enrol(Identity(tmp_path / token.name), token)
        done = [identity for worker in workers for identity in worker.done]
        for identity in [*done, *(Identity(tmp_path / token.name) for token in lost)]:
            certificate = identity.certificate()
            assert certificate is not None
            answered[identity.folder.name] = f"{certificate.serial_number:x}"

        known = {each.name: each.serial for each in ca.call("ListCertificates").certificates if each.name != "ca"}
        assert known == answered
        lines = (ca.folder / "work" / "audit.jsonl").read_text().splitlines()
        assert verify(lines) == ca.call("GetAudit", limit=1).total
        issued = [entry["serial"] for entry in ca.audit() if entry["event"] == "issued" and entry["source"] == "token"]
        assert sorted(issued) == sorted(answered.values())
