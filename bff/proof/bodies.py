"""Bodies of requests that every proof has."""

from pydantic import Field

from bff.http.api import Body
from bff.http.fields import Code, Secret, Text
from bff.proof.systems import MethodName


class PrepareBody(Body):
    """A code to send."""

    challenge_id: Secret = Field(repr=False)
    method: MethodName
    to: Text | None = None


class FinishBody(Body):
    """A code to try."""

    challenge_id: Secret = Field(repr=False)
    method: MethodName
    code: Code = Field(repr=False)
    device: Secret | None = Field(default=None, repr=False)
