"""All SQL of the payment service, one file for each thing that is kept."""

from services.payment.store.deliveries import WebhookStore
from services.payment.store.payments import PaymentStore
from services.payment.store.sandbox import SandboxAccounts
from services.payment.store.settlement import SettlementStore

__all__ = ["PaymentStore", "SandboxAccounts", "SettlementStore", "WebhookStore"]
