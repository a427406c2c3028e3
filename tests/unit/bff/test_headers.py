"""Headers of every answer."""

from bff.http.headers import standing_headers


def test_browsers_are_held_to_https_only_where_it_is() -> None:
    """Whoever was told so at the sandbox could open nothing else on localhost."""
    assert "Strict-Transport-Security" in standing_headers(https=True)
    assert "Strict-Transport-Security" not in standing_headers(https=False)
