"""What admins do with roles."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from services.auth.domain import RoleDefinition, require_held, require_known
from services.auth.store import RoleStore


class Roles:
    """The use cases behind RoleService. `held` is always what the caller may do."""

    def __init__(self, store: RoleStore, known: AbstractSet[str]) -> None:
        """`known` are the permissions that contracts name."""
        self._store = store
        self._known = known

    async def create(
        self, name: str, description: str, permissions: Sequence[str], held: AbstractSet[str]
    ) -> RoleDefinition:
        """Make a role."""
        require_known(permissions, self._known)
        require_held(permissions, held)
        return await self._store.add(name, description, permissions)

    async def update(
        self, name: str, description: str, permissions: Sequence[str], held: AbstractSet[str], etag: str = ""
    ) -> RoleDefinition:
        """Give a role another description and other permissions; where `etag` is given, if that is still its own."""
        require_known(permissions, self._known)
        require_held(permissions, held)
        return await self._store.update(name, description, permissions, held, etag)

    async def delete(self, name: str, held: AbstractSet[str], etag: str = "") -> None:
        """Delete a role that nobody has; `etag` as above."""
        await self._store.delete(name, held, etag)
