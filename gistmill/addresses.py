"""Choice of the way to a cluster by its address: HTTP, or its servers themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.errors import SettingsError
from models.settings import read_settings

if TYPE_CHECKING:
    from gistmill.cluster import Cluster, Warn

HTTP_SCHEMES = ("http://", "https://")


def find_cluster(address: str | None, broker_url: str | None, token: str | None, *, warn: Warn) -> Cluster:
    """Return the cluster at an address; args and errors are those of ``gistmill.connect``."""
    if address is not None and address.startswith(HTTP_SCHEMES):
        from gistmill.remote import open_remote

        if broker_url is not None:
            raise SettingsError(f"{address} needs no broker; leave its address out")
        return open_remote(address, token, warn=warn)
    from gistmill.direct import open_cluster

    if token is not None:
        raise SettingsError("a token belongs to the address of `gistmill serve`, such as http://host:8000")
    given = {"database_url": address, "broker_url": broker_url}
    return open_cluster(read_settings(**{name: url for name, url in given.items() if url is not None}), warn=warn)
