"""Which control message a job would take, and why not the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence

from attrs import define, field, frozen

from domain.batches import ElementSpec
from domain.checking.findings import Finding, Findings, fault, not_checked, ok, warning
from domain.checking.model import Shape
from domain.checking.request import CheckRequest, RequestChecked
from domain.errors import MalformedRequest, ServiceError, Unavailable
from domain.request import ControlMessage, DeploymentId
from ports import ControlSource

_TRIED = 10
"""Different messages that are looked into, at most."""

_OTHERS = 5
"""As many other deployments are named."""

_DEPENDENT = ("stream", "parts", "records", "labels", "examples and model")

_CORRECT = "correct the control message, and send it again"


@frozen
class MessagesChecked:
    """
    What was found.

    Attributes:
        findings: It.

        spec: What every example looks like; None if nobody can tell.

        examples: How many there are, at most.
    """

    findings: tuple[Finding, ...]
    spec: ElementSpec | None = None
    examples: int = 0


@define
class _Copies:
    """
    Messages that say the same.

    Attributes:
        first: The first of them.

        count: How many there are.
    """

    first: ControlMessage
    count: int = 1

    def __str__(self) -> str:
        """Say how many copies there are besides, behind the first one's place."""
        return "" if self.count == 1 else f" (and copies of it: {self.count - 1:,})"


@define
class _Topic:
    """
    What is in the control topic.

    Attributes:
        own: Our messages, oldest first, by what they say.

        others: How many messages each other deployment has.
    """

    own: dict[str, _Copies] = field(factory=dict)
    others: Counter[DeploymentId | None] = field(factory=Counter)

    def add(self, message: ControlMessage) -> None:
        """Take one of our messages; the back-end copies them without end."""
        try:
            request = message.open()
        except MalformedRequest as error:
            content = str(error)
        else:
            content = f"{request!r} {request.unlabelled!r}"
        if content in self.own:
            self.own[content].count += 1
        else:
            self.own[content] = _Copies(message)


@frozen
class CheckMessages:
    """
    Reads the control topic as it is now, and looks into the messages one by one.

    Attributes:
        place: Where the brokers are, for people.

        check_request: Looks into one.
    """

    place: str
    deployment_id: DeploymentId
    control_source: ControlSource
    check_request: CheckRequest

    def run(self, takes: Shape | None) -> MessagesChecked:
        """
        Return what the job would find.

        Args:
            takes: Shape of an example that the model takes, if that is known.
        """
        findings = Findings()
        try:
            topic = self._read()
        except ServiceError as error:
            findings.add(fault("broker", error, _fix(error)))
            findings.add(not_checked("control topic", "the brokers let nobody read it"))
            findings.add(*_unchecked("the control topic was not read"))
            return MessagesChecked(tuple(findings.found))
        findings.add(ok("broker", f"{self.place}: the brokers answer"))
        if topic is None:
            missing = Unavailable("there is no such topic: the job would wait for it")
            fix = "check CONTROL_TOPIC, or create the topic"
            findings.add(fault("control topic", missing, fix))
        else:
            findings.add(ok("control topic", self._counts(topic)))
        if topic is None or not topic.own:
            findings.add(_nothing(topic))
            findings.add(*_unchecked("there is no message"))
            return MessagesChecked(tuple(findings.found))
        return self._choose(list(topic.own.values()), takes, findings)

    def _read(self) -> _Topic | None:
        """Read all messages; None if there is no such topic."""
        messages = self.control_source.present()
        if messages is None:
            return None
        topic = _Topic()
        try:
            for message in messages:
                if message.deployment_id == self.deployment_id:
                    topic.add(message)
                else:
                    topic.others[message.deployment_id] += 1
        finally:
            if isinstance(messages, Generator):  # which holds connections
                messages.close()
        return topic

    def _counts(self, topic: _Topic) -> str:
        own = sum(copies.count for copies in topic.own.values())
        text = f"messages for deployment {self.deployment_id}: {own:,}"
        if len(topic.own) < own:
            text += f", different ones: {len(topic.own):,}"
        if not topic.others:
            return text
        told = ", ".join(
            "nobody" if number is None else str(number)
            for number, _ in topic.others.most_common(_OTHERS)
        )
        more = ", ..." if len(topic.others) > _OTHERS else ""
        return f"{text}; for others ({told}{more}): {topic.others.total():,}"

    def _choose(
        self, messages: Sequence[_Copies], takes: Shape | None, findings: Findings
    ) -> MessagesChecked:
        """Look into one message after the other, as the job does."""
        tried = messages[:_TRIED]
        for number, copies in enumerate(tried, 1):
            checked = self._look(copies.first, takes)
            skipped = checked.skipped
            if checked.ended is None and skipped is not None and number < len(tried):
                findings.add(_skipped(copies, skipped))
                continue
            findings.add(self._last(copies, checked, len(messages) - number))
            findings.add(*checked.findings)
            return MessagesChecked(
                tuple(findings.found), checked.spec, checked.examples
            )
        raise AssertionError("there is a message")

    def _look(self, message: ControlMessage, takes: Shape | None) -> RequestChecked:
        try:
            request = message.open()
        except MalformedRequest as error:
            return RequestChecked((fault("content", error, _CORRECT),))
        return self.check_request.run(request, message.timestamp, takes)

    @staticmethod
    def _last(copies: _Copies, checked: RequestChecked, left: int) -> Finding:
        """Say what becomes of the message that is shown in full."""
        subject, place = "message", f"{copies.first.position}{copies}"
        if checked.ended is not None:
            return not_checked(subject, f"{place}: {checked.ended.text}")
        if checked.skipped is None:
            later = f", and none of the others behind it: {left:,}" if left else ""
            return ok(subject, f"{place}: the job would take it{later}")
        why = f"{place}: the job would skip it, and wait for another one"
        if left:
            return not_checked(subject, f"{why}; not looked into: {left:,} more")
        return fault(subject, Unavailable(why), checked.skipped.fix)


def _skipped(copies: _Copies, skipped: Finding) -> Finding:
    text = f"{copies.first.position}{copies}: the job would skip it: "
    return warning("message", f"{text}{skipped.subject}: {skipped.text}", skipped.fix)


def _nothing(topic: _Topic | None) -> Finding:
    subject = "message"
    if topic is None:
        return not_checked(subject, "there is no control topic")
    return warning(
        subject,
        "there is none: the job would wait for it",
        "announce the data, for example with `streamfit send`; the message's key is "
        "the deployment's number in bytes, not its digits",
    )


def _unchecked(why: str) -> list[Finding]:
    return [not_checked(subject, why) for subject in _DEPENDENT]


def _fix(error: ServiceError) -> str:
    if isinstance(error, Unavailable):
        return (
            "check BOOTSTRAP_SERVERS, and that the brokers are reached from here; slow "
            "ones need a longer --timeout"
        )
    return "check LIBRDKAFKA_ for security, and the rights of the job's user"
