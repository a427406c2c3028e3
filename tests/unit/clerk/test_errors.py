"""Clerk's refusals as types."""

import json
from pathlib import Path

import pytest

from toolkit.clerk import (
    AuthenticationInvalid,
    ClerkApiError,
    FeatureNotAvailable,
    IdentifierExists,
    ParameterInvalid,
    PasswordDigestInvalid,
    PasswordPwned,
    PasswordRejected,
    ResourceNotFound,
)
from toolkit.clerk.errors import BY_CODE, ErrorBody, api_error
from toolkit.paths import ROOT

from .answers import Json, error_json

CATALOGUE = ROOT.parent / "shared" / "clerk" / "errors.json"


def refusal(status: int, body: Json, *secrets: str) -> ClerkApiError:
    return api_error(status, ErrorBody.model_validate(body), secrets)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "clerk_key_invalid", AuthenticationInvalid),
        (404, "resource_not_found", ResourceNotFound),
        (422, "form_identifier_exists", IdentifierExists),
        (422, "form_param_format_invalid", ParameterInvalid),
        (422, "form_password_digest_invalid_code", PasswordDigestInvalid),
        (422, "form_password_pwned", PasswordPwned),
        (422, "form_password_length_too_short", PasswordRejected),
        (402, "unsupported_subscription_plan_features", FeatureNotAvailable),
    ],
)
def test_the_code_decides_on_the_type(status: int, code: str, kind: type[ClerkApiError]) -> None:
    error = refusal(status, error_json(code))
    assert type(error) is kind
    assert (error.status, error.code, error.trace_id) == (status, code, "trace-1")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthenticationInvalid), (404, ResourceNotFound), (402, FeatureNotAvailable), (418, ClerkApiError)],
)
def test_an_unknown_code_is_typed_by_its_status(status: int, kind: type[ClerkApiError]) -> None:
    assert type(refusal(status, error_json("a_code_of_tomorrow"))) is kind


def test_all_parameters_of_several_errors_are_known() -> None:
    entries = [
        {"code": "form_identifier_exists", "message": "taken", "meta": {"param_name": name}}
        for name in ("email_address", "external_id")
    ]
    error = api_error(422, ErrorBody.model_validate({"errors": entries}), ())
    assert isinstance(error, IdentifierExists)
    assert error.params == {"email_address", "external_id"}


def test_the_message_has_all_that_one_needs_to_ask_about_it() -> None:
    text = str(refusal(422, error_json("form_param_unknown", message="is unknown", param="nonsense")))
    for part in ("422", "form_param_unknown", "nonsense", "is unknown", "trace-1"):
        assert part in text


def test_a_wrong_key_names_the_variable() -> None:
    assert "CLERK_SECRET_KEY" in str(refusal(401, error_json("clerk_key_invalid")))


def test_invariant_8_secrets_that_clerk_repeats_are_taken_out() -> None:
    body = error_json("form_param_format_invalid", message="'abc' and 'abcdef' are no digests")
    error = refusal(422, body, "abc", "abcdef", "")
    assert "abc" not in f"{error} {error!r} {error.errors!r} {error.args!r}"
    assert "def" not in str(error)


@pytest.mark.skipif(not Path(CATALOGUE).exists(), reason="Clerk's error catalogue is not there")
def test_every_code_of_the_table_is_in_clerks_catalogue() -> None:
    known = {entry["code"] for entry in json.loads(CATALOGUE.read_text())}
    assert sorted(BY_CODE.keys() - known) == []
