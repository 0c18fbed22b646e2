"""Names for what a cluster holds."""

from __future__ import annotations

APP_NAMESPACES = (
    "shop", "checkout", "payments", "catalog", "accounts", "search", "orders", "shipping",
    "billing", "inventory", "media", "reports", "identity", "notifications", "pricing",
    "recommendations", "partners", "mobile", "loyalty", "geo", "fraud", "support", "telemetry",
    "content", "ledger", "crm", "documents", "quotes", "warehouse", "returns", "events",
    "scheduling", "messaging", "profiles", "reviews", "storefront", "exports", "imports",
    "labels", "customs", "tax", "refunds", "vouchers", "campaigns", "surveys", "appointments",
    "fleet", "routing", "maps", "weather", "metering", "tariffs", "contracts", "claims",
    "archive", "translations",
)  # fmt: skip

TIERS: dict[str, tuple[tuple[str, ...], str, tuple[int, ...]]] = {
    "frontend": (("web", "frontend", "portal", "gateway", "bff"), "Deployment", (8080,)),
    "api": (
        ("api", "service", "backend", "core", "engine", "rules", "query", "sync", "adapter"),
        "Deployment",
        (8080, 8443),
    ),
    "worker": (("worker", "consumer", "indexer", "mailer", "resizer"), "Deployment", (9000,)),
    "database": (("postgres", "mysql", "mongodb"), "StatefulSet", (5432, 3306, 27017)),
    "cache": (("redis", "memcached"), "StatefulSet", (6379, 11211)),
    "queue": (("kafka", "rabbitmq", "nats"), "StatefulSet", (9092, 5672, 4222)),
    "job": (("report", "cleanup", "rollup", "backup", "reconcile"), "CronJob", ()),
}
"""Base names, controller kind and listening ports (for data tiers: by base name) of each tier."""

EXTERNAL_SERVICES = (
    ("api.stripe.com", 443), ("hooks.slack.com", 443), ("sqs.eu-west-1.amazonaws.com", 443),
    ("s3.eu-central-1.amazonaws.com", 443), ("api.sendgrid.com", 443), ("api.github.com", 443),
    ("login.microsoftonline.com", 443), ("oauth2.googleapis.com", 443), ("sentry.io", 443),
    ("api.twilio.com", 443), ("registry.npmjs.org", 443), ("vault.corp.example.com", 8200),
    ("erp.corp.example.com", 8443), ("ldap.corp.example.com", 636), ("api.exchangerate.host", 443),
    ("maps.googleapis.com", 443), ("time.cloudflare.com", 123), ("smtp.corp.example.com", 587),
)  # fmt: skip

RARE_DOMAINS = (
    "cdn-metrics.live", "static-updates.net", "pkg-mirror.cc", "telemetry-collect.io",
    "img-proxy.xyz", "sync-node.top",
)  # fmt: skip

URL_PATHS = (
    "/", "/healthz", "/v1/items", "/v1/orders", "/v1/orders/4711", "/v1/users/me", "/v2/search?q=x",
    "/v1/cart", "/v1/prices", "/api/session", "/graphql", "/v1/stock/88", "/v1/events",
)  # fmt: skip

MISSPELT_HOSTS = ("redis-master", "metrics", "db-primary", "config-server", "jaeger-agent", "vault")
