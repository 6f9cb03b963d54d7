"""What PostgreSQL keeps for Debezium: it is let go of, also where nothing happens."""

import pytest

from deploy.native.provision.postgres import connect
from deploy.native.runtime import Runtime
from tests.e2e.accidents import kill
from tests.e2e.shop import eventually

BEHIND = "SELECT slot_name FROM pg_replication_slots WHERE confirmed_flush_lsn < %s OR confirmed_flush_lsn IS NULL"
RECOVERY_S = 120.0


@pytest.mark.timeout(240)
def test_after_a_crash_of_connect_no_idle_service_holds_up_the_log(stack: Runtime) -> None:
    """By heartbeats, without any event: or the log would grow until PostgreSQL gives up slots, and events with them."""
    kill(stack, "connect")
    with connect(stack) as session:
        ((now,),) = session.execute("SELECT pg_current_wal_lsn()::text").fetchall()
        eventually(lambda: session.execute(BEHIND, (now,)).fetchall() == [], within_s=RECOVERY_S)
