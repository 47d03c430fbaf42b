"""Secrets in a connector's config: known by their names, the same everywhere, and never shown."""

from __future__ import annotations

import pytest

from connectors.comparison import hide_secret

SECRETS = (
    "database.password",
    "producer.override.sasl.jaas.config",
    "producer.override.sasl.oauthbearer.assertion.private.key.passphrase",
    "consumer.override.ssl.keystore.key",
)


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_in_the_clear_is_hidden(name: str) -> None:
    """Whoever wrote it over REST does not find it in a plan; a reference is shown."""
    assert hide_secret(name, "s3cret") == "(hidden)"
    assert hide_secret(name, "${env:P}") == "${env:P}"
    assert hide_secret(name, None) is None


def test_what_is_no_secret_is_shown() -> None:
    """Columns of a key and classes are none."""
    for name in ("message.key.columns", "key.converter", "sasl.oauthbearer.token.endpoint.url"):
        assert hide_secret(name, "x") == "x"
