"""The OpenAPI document: Litestar's paths, and the types as msgspec reads and writes them."""

from litestar.openapi import OpenAPIConfig

CONFIG = OpenAPIConfig(title="Bursar", version="1")
