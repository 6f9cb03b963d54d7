"""What product publishes, and the contract's form of a product."""

from ordermesh.product.v1 import product_events_pb2, product_pb2
from services.common.events import EventRecord
from services.common.protobuf import money_to_proto, timestamp_to_proto
from services.product.domain import Product, Variant

AGGREGATE_TYPE = "product"


def product_created(product: Product) -> EventRecord:
    """Return the event of a new product."""
    message = product_events_pb2.ProductCreated(product=product_to_proto(product))
    return EventRecord(AGGREGATE_TYPE, product.id, product.version, message)


def product_to_proto(product: Product) -> product_pb2.Product:
    """Return the contract's form of a product, the same in replies and in events."""
    return product_pb2.Product(
        id=product.id,
        name=product.name,
        description=product.description,
        category=product.category,
        variants=[_variant_to_proto(variant) for variant in product.variants],
        etag=product.etag,
        create_time=timestamp_to_proto(product.create_time),
        update_time=timestamp_to_proto(product.update_time),
    )


def _variant_to_proto(variant: Variant) -> product_pb2.Variant:
    return product_pb2.Variant(
        sku=variant.sku,
        name=variant.name,
        attributes=dict(variant.attributes),
        prices=[money_to_proto(price) for price in variant.prices],
    )
