"""Which gateway is asked: by currency, in the order that an installation chose, but for those that don't answer."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from mesh import errors
from services.payment.adapters.gateway import GatewayUnreachableError
from services.payment.breaker import Guarded
from services.payment.domain.errors import NothingToAsk

ANY = "*"
"""The route of currencies that have none of their own."""


class RouteError(Exception):
    """The routes name a gateway that isn't set up."""


class Gateways:
    """The gateways that are set up."""

    def __init__(self, gateways: Mapping[str, Guarded], routes: Mapping[str, Sequence[str]]) -> None:
        """`routes`: names of gateways by currency code or ANY, the preferred first. Raises RouteError."""
        unknown = {name for names in routes.values() for name in names} - gateways.keys()
        if unknown:
            raise RouteError(f"payments are routed to {', '.join(sorted(unknown))}, which has no credentials here")
        self._gateways = dict(gateways)
        self._routes = {currency: tuple(gateways[name] for name in names) for currency, names in routes.items()}

    def first(self, currency_code: str) -> Guarded:
        """Choose a gateway for a new payment. Raises NothingToAsk, and Unavailable while all are left alone."""
        found = next((each for each in self._route(currency_code) if each.available), None)
        if found is None:
            raise errors.Unavailable(
                "no payment gateway answers at this moment; send it again",
                reason="GATEWAY_UNAVAILABLE",
                retry_after=timedelta(seconds=1),
            )
        return found

    def after(self, currency_code: str, name: str) -> Guarded | None:
        """Choose the next one that may answer, behind the one of that name; None when there is none."""
        route = self._route(currency_code)
        behind = [each.name for each in route].index(name) + 1
        return next((each for each in route[behind:] if each.available), None)

    def named(self, name: str) -> Guarded:
        """Find the gateway that a payment is with. Raises GatewayUnreachableError when it was turned off."""
        try:
            return self._gateways[name]
        except KeyError:
            raise GatewayUnreachableError(f"gateway {name} is not set up here any more") from None

    def _route(self, currency_code: str) -> tuple[Guarded, ...]:
        route = self._routes.get(currency_code) or self._routes.get(ANY)
        if not route:
            raise NothingToAsk(currency_code)
        return route
