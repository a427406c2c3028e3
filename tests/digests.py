"""A digest of each hasher that Clerk takes, with its password: published by others, or made by what makes such digests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """A digest in the form in which Clerk takes it, and the password that it was made of."""

    hasher: str
    digest: str
    password: str


FIREBASE_KEY = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
COGNITO = Example(
    "awscognito", "awscognito#eu-west-1_aBcDeFgHi#3n4b5urk1ft4fl3mg5e62d9ado#ada", "Ada's in Cognito"
)
"""No digest at all: AWS Cognito is asked whether that is the password of `ada`."""

EXAMPLES = (
    # Argon2's reference code, src/test.c
    Example(
        "argon2id",
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "password",
    ),
    Example(
        "argon2i",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "password",
    ),
    # crypt_blowfish, wrapper.c; for the pepper the end of its password
    Example("bcrypt", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
    Example("bcrypt_peppered", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW$*U", "U"),
    # Django 5.2
    Example(
        "bcrypt_sha256_django",
        "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuIvyWZlBcE3WoQXKqRnwrLYJ6nenE0Bq",
        "correct horse",
    ),
    Example(
        "pbkdf2_sha256_django",
        "pbkdf2_sha256$1000$seasalt123456$CIoxzSg7/MoKDfyMBgA+ERrC1L4xBPmc2qyRqH3R23I=",
        "correct horse",
    ),
    # Passlib's tests
    Example(
        "pbkdf2_sha256_django",
        "pbkdf2_sha256$10000$kjVJaVz6qsnJ$5yPHw3rwJGECpUf70daLGhOrQ5+AMxIJdz1c3bqK1Rs=",
        "not a password",
    ),
    Example("ldap_ssha", "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr", "testing123"),
    # RFC 4231, case 2: key and message; the message read as UTF-16
    Example(
        "hmac_sha256_utf16_b64",
        "hmac_sha256_utf16_b64$W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=$SmVmZQ==",
        b"what do ya want for nothing?".decode("utf-16-le"),
    ),
    # Clerk's reference of createUser; RFC 1321, and FIPS 180-2, the salt being the beginning of the message
    Example("md5", "5f4dcc3b5aa765d61d8327deb882cf99", "password"),
    Example("md5_salted", "message $f96b697d7cb7938d525a2f31aaf161d0", "digest"),
    Example("sha256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "test"),
    Example("sha256_salted", "a$ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "bc"),
    # RFC 6070, the salt as it is and in hexadecimal; RFC 7914 section 11; Passlib's tests
    Example("pbkdf2_sha1", "pbkdf2_sha1$4096$salt$4b007901b765489abead49d926f721d065a429c1$20", "password"),
    Example(
        "pbkdf2_sha1", "pbkdf2_sha1$4096$73616c74$4b007901b765489abead49d926f721d065a429c1$20", "password"
    ),
    Example(
        "pbkdf2_sha256",
        "pbkdf2_sha256$1$c2FsdA==$VawEblbjCJ/sFpHCJUS2BflBhSFt3gRl5oudV8INrLxJypzM8Xm2RZkWZLOdd+8xfHG4RbHjC9UJESBB06GXgw==",
        "passwd",
    ),
    Example(
        "pbkdf2_sha512",
        "pbkdf2_sha512$1$salt$867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce",
        "password",
    ),
    Example(
        "pbkdf2_sha512_hex",
        "pbkdf2_sha512_hex$1$73616c74$867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce",
        "password",
    ),
    # Openwall's test of phpass; with an MD5 of `password` in place of a password as Passlib makes it
    Example("phpass", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "test12345"),
    Example("md5_phpass", "$P$5saltsaltTwIU6dA3q5l0DVJMpSxcd1", "password"),
    # https://github.com/firebase/scrypt
    Example(
        "scrypt_firebase",
        f"lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==$42xEC+ixf3L2lw==${FIREBASE_KEY}$Bw==$8$14",
        "user1password",
    ),
    # Werkzeug 3.1
    Example(
        "scrypt_werkzeug",
        "scrypt:1024:8:1$d9CJQeopXS5ePufr$54929153c91529ce71802e4ceed1880e9536782484cfc235581bba090e807247b0812698c591d41dc49108035a22613b28a38c89937b6b7359ca7e2fe4dc063c",
        "correct horse",
    ),
    # Silex's documentation, without a salt
    Example(
        "sha512_symfony",
        "sha512_symfony$5000$$5FZ2Z8QIkA7UTZ4BYkoC+GsReLf569mSKDsfods6LYQ8t+a8EW9oaircfMpmaLbPBh4FOBiiFyLfuZmTSUwzZg==",
        "foo",
    ),
    # Made by Symfony's recipe in Perl
    Example(
        "sha512_symfony",
        "sha512_symfony$10$seasalt$AM8pqFi6IyxJob+uGuWK9nRVTab7uxtbn/axLLEhMP+ZkGTKqf8cVuyCD7cnZ1sxtkwgRgluz8haExzmILEpQA==",
        "foo",
    ),
)

HEX_32, HEX_64 = "0f" * 16, "0f" * 32
BCRYPT = "$2b$04$" + "a" * 53
SHA256_BASE64, SHA512_BASE64 = "A" * 43 + "=", "A" * 86 + "=="

MALFORMED = (
    ("awscognito", "awscognito#pool#client"),
    ("awscognito", "awscognito#pool#client#"),
    ("awscognito", "cognito#pool#client#ada"),
    ("bcrypt", "$2b$12$short"),
    ("bcrypt", "$2b$99$" + "a" * 53),
    ("bcrypt", "$2b$12$" + "!" * 53),
    ("bcrypt", "2b$12$" + "a" * 53),
    ("bcrypt", f"bcrypt${BCRYPT}"),  # as Django has it
    ("bcrypt_peppered", BCRYPT),
    ("bcrypt_peppered", f"{BCRYPT}$"),
    ("bcrypt_sha256_django", BCRYPT),
    ("bcrypt_sha256_django", f"bcrypt_sha256{BCRYPT}"),
    ("hmac_sha256_utf16_b64", SHA256_BASE64),
    ("hmac_sha256_utf16_b64", f"hmac_sha256_utf16_b64${SHA512_BASE64}$SmVmZQ=="),
    ("hmac_sha256_utf16_b64", f"hmac_sha256_utf16_b64${SHA256_BASE64}$"),
    ("hmac_sha256_utf16_b64", f"hmac_sha256_utf16_b64${SHA256_BASE64}$Jefe!"),
    ("ldap_ssha", "0c0blFTXXNuAMHECS4uxrj3ZieMoWImr"),
    ("ldap_ssha", "{SHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWImr"),
    ("ldap_ssha", "{SSHA}" + "A" * 27 + "="),  # no salt
    ("ldap_ssha", "{SSHA}0c0blFTXXNuAMHECS4uxrj3ZieMoWIm"),
    ("md5", HEX_32[:-1]),
    ("md5", HEX_64),
    ("md5", HEX_32[:-1] + "g"),
    ("md5", f"md5:{HEX_32}"),
    ("md5_salted", HEX_32),
    ("md5_salted", f"${HEX_32}"),
    ("md5_salted", f"salt${HEX_64}"),
    ("md5_salted", f"{HEX_32}$salt"),
    ("sha256", HEX_32),
    ("sha256", f"{HEX_64}\n"),
    ("sha256_salted", f"salt${HEX_32}"),
    ("sha256_salted", f"sa$lt${HEX_64}"),
    ("phpass", "$H$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"),  # as phpBB has it
    ("phpass", "$P$4IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"),  # 64 rounds
    ("phpass", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L"),
    ("phpass", "$P$9IQRaTwmf"),
    ("md5_phpass", HEX_32),
    ("pbkdf2_sha1", f"pbkdf2_sha1$0$salt${HEX_64}"),
    ("pbkdf2_sha1", f"pbkdf2_sha1$1000$salt${'0f' * 20}"),  # 20 bytes where 32 are said
    ("pbkdf2_sha1", f"pbkdf2_sha1$1000$salt${'0f' * 20}$32"),
    ("pbkdf2_sha1", f"pbkdf2_sha1$1000$salt${SHA256_BASE64}"),
    ("pbkdf2_sha1", f"pbkdf2_sha1$1000$${HEX_64}"),
    ("pbkdf2_sha256", f"pbkdf2_sha256$1000$salt!${SHA256_BASE64}"),
    ("pbkdf2_sha256", f"pbkdf2_sha256$1000$c2FsdA${SHA256_BASE64}"),  # without padding
    ("pbkdf2_sha256", f"pbkdf2_sha256$1000$c2FsdA==${SHA256_BASE64.replace('A', '_')}"),
    ("pbkdf2_sha256", f"$pbkdf2-sha256$1000$c2FsdA==${SHA256_BASE64}"),  # as Passlib has it
    ("pbkdf2_sha256", f"pbkdf2_sha256$1e3$c2FsdA==${SHA256_BASE64}"),
    ("pbkdf2_sha256_django", f"pbkdf2_sha1$1000$salt${SHA256_BASE64}"),
    ("pbkdf2_sha256_django", f"pbkdf2_sha256$1000$salt${SHA512_BASE64}"),
    ("pbkdf2_sha256_django", f"pbkdf2_sha256$1000$$${SHA256_BASE64}"),
    ("pbkdf2_sha256_django", f"pbkdf2_sha256$-1$salt${SHA256_BASE64}"),
    ("pbkdf2_sha512", f"pbkdf2_sha512$1000$salt${SHA512_BASE64}"),
    ("pbkdf2_sha512", f"pbkdf2_sha512$1000${HEX_64}"),
    ("pbkdf2_sha512", f"pbkdf2_sha512$1000$salt${HEX_64}0"),
    ("pbkdf2_sha512_hex", f"pbkdf2_sha512_hex$1000$salt${HEX_64}"),
    ("pbkdf2_sha512_hex", f"pbkdf2_sha512$1000$73616c74${HEX_64}"),
    ("scrypt_firebase", f"{SHA512_BASE64}$c2FsdA==${FIREBASE_KEY}$Bw==$8"),
    (
        "scrypt_firebase",
        f"{SHA512_BASE64[:-2]}A=$c2FsdA==${FIREBASE_KEY}$Bw==$8$14",
    ),  # a byte more than the key
    ("scrypt_firebase", f"{SHA512_BASE64}$c2FsdA==${FIREBASE_KEY}$Bw==$8$15"),
    ("scrypt_firebase", f"{SHA512_BASE64}$c2FsdA==${FIREBASE_KEY}$Bw==$9$14"),
    ("scrypt_firebase", f"{SHA256_BASE64}$c2FsdA==${FIREBASE_KEY}$Bw==$8$14"),
    ("scrypt_firebase", f"{SHA512_BASE64.replace('A', '-')}$c2FsdA==${FIREBASE_KEY}$Bw==$8$14"),  # base64url
    ("scrypt_werkzeug", f"scrypt:1000:8:1$salt${HEX_64 * 2}"),
    ("scrypt_werkzeug", f"scrypt:1024:8$salt${HEX_64 * 2}"),
    ("scrypt_werkzeug", f"scrypt:1024:8:1$salt${HEX_64}"),
    ("scrypt_werkzeug", f"pbkdf2:sha256:600000$salt${HEX_64}"),
    ("scrypt_werkzeug", f"scrypt:1:8:1$salt${HEX_64 * 2}"),
    ("sha512_symfony", f"sha512_symfony$5000$sa{{lt}}${SHA512_BASE64}"),
    ("sha512_symfony", f"sha512_symfony$0$salt${SHA512_BASE64}"),
    ("sha512_symfony", f"sha512_symfony$5000$salt${SHA256_BASE64}"),
    ("sha512_symfony", SHA512_BASE64),
)
"""Hashers, and digests that are none of theirs."""
