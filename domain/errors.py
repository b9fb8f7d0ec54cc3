"""
What can go wrong, named by what happens next:

* ServiceError
  + RequestRejected        this control message cannot be honoured: skip it
    - MalformedRequest     ... its JSON, topic ranges or format are not understood
    - StreamUnreadable     ... its offsets are gone, or its records do not decode
    - TrainingFailed       ... the model cannot be trained on its records
  + Unavailable            a broker or back-end stayed away: end, and be restarted
    - SpoolFull            ... the disk has no room for the stream
  + DeploymentInvalid      no retry and no other message can help: end for good
    - SettingsInvalid      ... an environment variable is missing or malformed
    - ModelInvalid         ... the back-end's model cannot be loaded

Adapters retry; an error that leaves a port means that retrying is over.  A message
names the place first (``data[0]@120``, the URL, the variable), then the cause.
"""

from __future__ import annotations


class ServiceError(Exception):
    """Base class of every error that a port may raise."""


class RequestRejected(ServiceError):
    """This control message cannot be honoured; the next one may."""


class MalformedRequest(RequestRejected):
    """The control message does not say what to train on."""


class StreamUnreadable(RequestRejected):
    """The records named by the control message are gone or do not decode."""


class TrainingFailed(RequestRejected):
    """The model cannot be trained on the records of this control message."""


class Unavailable(ServiceError):
    """A broker or back-end did not answer within the adapter's retry budget."""


class SpoolFull(Unavailable):
    """There is no room to keep the stream: the next machine may have some."""


class DeploymentInvalid(ServiceError):
    """The deployment itself is broken: restarting the process cannot help."""


class SettingsInvalid(DeploymentInvalid):
    """An environment variable is missing or malformed."""


class ModelInvalid(DeploymentInvalid):
    """The model that the back-end handed out cannot be trained."""
