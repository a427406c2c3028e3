"""The instance's signing key: signs its tokens (RS256), and is published as a JSON Web Key."""

from collections.abc import Mapping
from functools import cached_property

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.types import Options

from toolkit.sandbox.emulator.store import now_ms

ALGORITHM = "RS256"
_BITS = 2048


class SigningKey:
    """A private key (PKCS 8, PEM) with its id."""

    def __init__(self, key_id: str, pem: str) -> None:
        self.key_id = key_id
        self._pem = pem

    def sign(self, claims: Mapping[str, object]) -> str:
        """A JSON Web Token."""
        return jwt.encode(dict(claims), self._key, ALGORITHM, headers={"kid": self.key_id})

    def verify(self, token: str) -> dict[str, object]:
        """The claims of a token of one's own. Raises jwt.InvalidTokenError."""
        # The instance's clock may have been put forward; jwt's own goes by the machine's.
        unchecked: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        claims: dict[str, object] = jwt.decode(token, self._key.public_key(), [ALGORITHM], options=unchecked)
        expires = claims.get("exp")
        if isinstance(expires, int) and expires * 1000 < now_ms():
            raise jwt.ExpiredSignatureError
        return claims

    @property
    def public_jwk(self) -> dict[str, object]:
        """The public half."""
        numbers = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {
            "use": "sig",
            "kty": "RSA",
            "kid": self.key_id,
            "alg": ALGORITHM,
            "n": numbers["n"],
            "e": numbers["e"],
        }

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        key = serialization.load_pem_private_key(self._pem.encode(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key


def make_pem() -> str:
    """A new private key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
