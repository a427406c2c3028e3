"""The instance's domain, and whether its proxy works."""

from toolkit.sandbox.emulator import errors
from toolkit.sandbox.emulator.frontend.visit import check_proxy
from toolkit.sandbox.emulator.instance import Answer, Call, Instance


async def list_domains(instance: Instance, call: Call) -> Answer:
    """GET /v1/domains: there is one."""
    host = call.headers.get("Host", "")
    domain = {
        "object": "domain",
        "id": _id(instance),
        "name": host,
        "is_satellite": False,
        "frontend_api_url": f"http://{host}",
        "accounts_portal_url": None,
        "proxy_url": instance.settings.proxy_url,
        "development_origin": "",
        "cname_targets": None,
    }
    return Answer({"data": [domain], "total_count": 1})


async def get_proxy_health(instance: Instance, call: Call) -> Answer:
    """GET /v1/proxy-health. Raises Refusal without the proxy's key."""
    check_proxy(instance, call)
    if dict(call.query).get("domain_id") != _id(instance):
        raise errors.not_found("domain")
    if call.headers.get("Clerk-Proxy-Url") != instance.settings.proxy_url:
        return Answer({"status": "unhealthy", "message": "The proxy URL is not that of the domain."})
    seen = (
        call.headers.get("X-Forwarded-For", "") if instance.settings.proxy_passes_addresses else call.address
    )
    return Answer({"status": "healthy", "x_forwarded_for": seen})


def _id(instance: Instance) -> str:
    return instance.id.replace("ins_", "dmn_")
