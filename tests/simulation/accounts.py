"""What simulated users do with their accounts: they verify addresses, forget passwords, end sessions, delete their
accounts and make new ones, and try links and tokens that have ended.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared import clock
from tests.simulation.choices import Choices
from tests.simulation.cloud import Cloud
from tests.simulation.invariants import InvariantViolation

if TYPE_CHECKING:
    from tests.simulation.workload import CallResult, SimulatedUser, Workload

ENDS_WITHIN = timedelta(seconds=60)
"""After this time no token of an ended session is accepted."""
RECENT = 5


@dataclass(frozen=True)
class Moment:
    """What has happened to a user's accounts before a call: others may delete them while it is answered."""

    deleted: frozenset[str]
    deletions: int
    accounts: int
    disturbances: int


@dataclass
class Accounts:
    """The accounts of one run. `used` are the tokens of links that have had an effect; `deleted` are users' ids."""

    workload: "Workload"
    cloud: Cloud
    choices: Choices
    used: set[str] = field(default_factory=set)
    ended: list[tuple[str, datetime]] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)

    def act(self, person: "SimulatedUser") -> None:
        """Let a signed-in user do something about their account."""
        acts = [self._forget, self._reset, self._reset, self._verify, self._end_sessions]
        if self.ended:
            acts += [self._use_ended_session] * 3
        self.choices.pick(acts)(person)

    def moment(self, person: "SimulatedUser") -> Moment:
        """What has happened until now."""
        return Moment(frozenset(self.deleted), person.deletions, person.accounts, person.disturbances)

    def delete(self, person: "SimulatedUser") -> None:
        """Delete the account; the user's other tabs go on until their token is refused."""
        token, ident = person.token, person.id
        person.deletions += 1
        person.disturbances += 1
        person.is_leaving = True
        headers = {"Authorization": f"Bearer {token}"}
        body = {"password": person.credentials["password"]}
        answer = self.workload.ask(person, "DELETE", "/api/users/me", body, headers)
        person.disturbances += 1  # a sign-in meanwhile may have ended since
        person.is_leaving = True
        if answer.status == 202 and ident:
            self.deleted.add(ident)
            self._has_ended(token)
        self.workload.answered[f"deletions {answer.status} {answer.code}".strip()] += 1

    def check_erased(self) -> None:
        """At rest, nothing is left of deleted accounts."""
        left = {item["id"] for item in self.cloud.database.items(self.cloud.table("auth")) if "closingAt" in item}
        if left:
            raise InvariantViolation(f"users {left} have deleted their accounts and are not erased")

    def verify(self, person: "SimulatedUser") -> None:
        """Use the newest link that verifies this user's address, if one has arrived."""
        tokens = self._tokens("VerifyAddress", person)
        if tokens:
            self._use(tokens[-1], person, "/api/users/email/verify", {})

    def _verify(self, person: "SimulatedUser") -> None:
        if tokens := self._tokens("VerifyAddress", person):
            self._use(self.choices.pick(tokens[-RECENT:]), person, "/api/users/email/verify", {})

    def _forget(self, person: "SimulatedUser") -> None:
        body = {"email": person.credentials["email"]}
        answer = self.workload.ask(person, "POST", "/api/users/password/forgot", body)
        if answer.status not in (202, 429) and not answer.is_failure:
            raise InvariantViolation(f"a forgotten password was answered with {answer}")

    def _reset(self, person: "SimulatedUser") -> None:
        """Set the same password again; all other sessions end."""
        tokens = self._tokens("ResetPassword", person)
        if not tokens:
            return self._forget(person)
        person.disturbances += 1
        body = {"password": person.credentials["password"]}
        token = self.choices.pick(tokens[-RECENT:])
        begun = self.moment(person)
        answer = self._use(token, person, "/api/users/password/reset", body)
        if answer.status == 200:
            self._has_ended(person.token)
            self.workload.is_signed_in(person, answer, begun)
        return None

    def _end_sessions(self, person: "SimulatedUser") -> None:
        token = person.token
        person.disturbances += 1
        headers = {"Authorization": f"Bearer {token}"}
        answer = self.workload.ask(person, "DELETE", "/api/users/sessions", None, headers)
        if answer.status == 204:
            self._has_ended(token)

    def _use_ended_session(self, person: "SimulatedUser") -> None:
        """Guarantee 6: nobody acts with an ended session."""
        token, at = self.choices.pick(self.ended)
        skew = timedelta(seconds=2 * self.cloud.network.profile.skew)
        is_over = self.cloud.clock.instant >= at + ENDS_WITHIN + skew
        answer = self.workload.ask(person, "GET", "/api/orders", None, {"Authorization": f"Bearer {token}"})
        if is_over and answer.status is not None and answer.status < 400:
            raise InvariantViolation(f"{person.name} acted in a session that had ended at {at:%H:%M:%S}")

    def _use(self, token: str, person: "SimulatedUser", path: str, body: dict[str, str]) -> "CallResult":
        was_used = token in self.used
        answer = self.workload.ask(person, "POST", path, {"token": token, **body})
        if answer.status in (200, 204):
            if was_used:
                raise InvariantViolation(f"a link of {person.name} was used twice")
            self.used.add(token)
        return answer

    def _tokens(self, kind: str, person: "SimulatedUser") -> list[str]:
        email = person.credentials["email"]
        return [mail.token for mail in self.cloud.mails if mail.token and (mail.to, mail.kind) == (email, kind)]

    def _has_ended(self, token: str | None) -> None:
        if token:
            self.ended.append((token, clock.now()))
