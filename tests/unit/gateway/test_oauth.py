"""What is special about the routes of OAuth 2 endpoints, and about no others."""

from gateway.options import Options
from gateway.problems import FILTER
from gateway.routes import api_routes


def test_only_oauth_endpoints_see_the_clients_credentials_and_choose_a_status(options: Options) -> None:
    """On all other routes the header Authorization ends at the edge, and errors are problems."""
    routes = api_routes(options)
    endpoints = {method.full_name for method in options.contract.methods if method.oauth_endpoint}
    seeing = {route["name"] for route in routes if "request_headers_to_add" in route}
    scripted = {route["name"] for route in routes if FILTER in route.get("typed_per_filter_config", {})}
    assert endpoints
    assert seeing == scripted == endpoints
