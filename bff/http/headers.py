"""What every answer tells browsers beside its content."""

from collections.abc import Mapping

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "sandbox",
    )
)
"""Of what is no page: opened as one, it may do nothing."""

_NOT_USED = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer"),
    *("microphone", "midi", "payment", "serial", "usb", "xr-spatial-tracking"),
)
"""What browsers offer to pages, and no page of ours needs."""


def standing_headers(*, https: bool) -> Mapping[str, str]:
    """Headers of every answer that has none of its own by that name; with `https`, browsers never come without it again."""
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": CONTENT_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{feature}=()" for feature in _NOT_USED),
        "Referrer-Policy": "same-origin",
        "Server": "AX",  # in place of aiohttp's own, which tells its version
        "X-Content-Type-Options": "nosniff",
    }
    if https:
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return headers
