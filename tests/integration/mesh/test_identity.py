"""Certificates from a real Consul: kept over restarts, renewed when need be, and void when Consul is another one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mesh.identity import TrustDomainChangedError, joined
from tests.integration.mesh.control_plane.consul import Consul


@pytest_asyncio.fixture
async def consul(consul_binary: Path, tmp_path: Path) -> AsyncIterator[Consul]:
    """Run a Consul of the test's own."""
    server = Consul(consul_binary, tmp_path)
    await server.start()
    yield server
    await server.stop()


async def test_a_certificate_is_for_the_service_and_only_its_owner_can_read_it(consul: Consul, tmp_path: Path) -> None:
    """The key never was anywhere else."""
    async with joined(consul.settings("order", tmp_path)) as identity:
        files = identity.files
        kept = files.read()
        assert kept
        assert identity.domain.service_of(kept.spiffe_id) == "order"
        assert files.folder.stat().st_mode & 0o777 == 0o700
        assert {each.stat().st_mode & 0o777 for each in (files.key, files.certificate)} == {0o600}


async def test_a_restart_keeps_the_certificate_also_while_consul_is_away(consul: Consul, tmp_path: Path) -> None:
    """A lost Consul takes nobody's identity."""
    settings = consul.settings("order", tmp_path)
    async with joined(settings) as identity:
        first = identity.files.certificate.read_bytes()
    async with joined(settings) as identity:
        assert identity.files.certificate.read_bytes() == first
    await consul.stop()
    async with joined(settings) as identity:
        assert identity.files.certificate.read_bytes() == first


async def test_another_name_asks_for_another_certificate(consul: Consul, tmp_path: Path) -> None:
    """Clients are to find what they call it."""
    settings = consul.settings("control-plane", tmp_path)
    async with joined(settings, names=("one",)):
        pass
    async with joined(settings, names=("one,two",)) as identity:
        kept = identity.files.read()
        assert kept
        assert kept.names == ("one,two",)


async def test_a_certificate_of_a_consul_that_lost_its_data_is_not_used_again(consul: Consul, tmp_path: Path) -> None:
    """The new Consul is another authority, and whoever starts under it is its member."""
    settings = consul.settings("order", tmp_path)
    async with joined(settings) as identity:
        old = identity.domain
    await consul.stop()
    consul.forget()
    await consul.start()
    async with joined(settings) as identity:
        assert identity.domain != old


async def test_a_process_ends_when_consul_becomes_another_one(consul: Consul, tmp_path: Path) -> None:
    """What it was told under the old one is void; its supervisor starts it anew."""
    with pytest.RaisesGroup(TrustDomainChangedError, flatten_subgroups=True):
        async with joined(consul.settings("order", tmp_path)):
            await consul.stop()
            consul.forget()
            await consul.start()
            await asyncio.sleep(30)
