"""Fixtures that several files of tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from http_service import Authority, Service


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    from http_service import Authority

    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=["plain", "tls"])
def service(request: pytest.FixtureRequest, authority: Authority) -> Service:
    from http_service import Service

    return Service(authority, tls=request.param == "tls")
