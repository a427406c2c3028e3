"""How strong AX's digests are to be."""

from argon2 import Parameters, Type, extract_parameters
from argon2.exceptions import InvalidHashError
from argon2.profiles import RFC_9106_LOW_MEMORY

POLICY: Parameters = RFC_9106_LOW_MEMORY
"""What new digests are made with: Argon2id, 64 MiB, three passes, four lanes (RFC 9106, section 4)."""


def is_weak(digest: str) -> bool:
    """Whether passwords are tried against it with less than the policy asks for; false for what is no digest of Argon2's."""
    try:
        found = extract_parameters(digest)
    except InvalidHashError:
        return False
    return (
        found.type is not Type.ID
        or found.version < POLICY.version
        or found.salt_len < POLICY.salt_len
        or found.hash_len < POLICY.hash_len
        or found.memory_cost < POLICY.memory_cost
        or found.memory_cost * found.time_cost < POLICY.memory_cost * POLICY.time_cost
    )


def parameters_like(digest: str) -> Parameters:
    """A digest's parameters; the policy's for what is no digest of Argon2's."""
    try:
        return extract_parameters(digest)
    except InvalidHashError:
        return POLICY
