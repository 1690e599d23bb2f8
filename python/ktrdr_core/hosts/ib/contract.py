"""The wire contract of the IB host service: what is asked and answered, as its OpenAPI says it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            "it holds half of a surrogate pair: that is no text which UTF-8 can carry"
        ) from None
    return text


# JSON can write half of a surrogate pair; no source can be asked for it.
Text = Annotated[str, AfterValidator(_whole)]


class HistoricalRequest(BaseModel):
    """``POST /data/historical``. Times are ISO 8601, without an offset UTC; the range is ``[start, end)``.

    ``what_to_show`` and ``session`` are additions: an answer to a request that has them says them again.
    """

    symbol: Text
    timeframe: Text
    start: Text
    end: Text
    instrument_type: Text | None = None
    what_to_show: Text | None = None
    session: Text | None = None
    operation_id: Text | None = Field(None, min_length=1, max_length=128)


class ValidateRequest(BaseModel):
    """``POST /data/validate``."""

    symbol: Text
    timeframes: list[Text] | None = None
    instrument_type: Text | None = None


class ReleaseRequest(BaseModel):
    """``POST /control/release``: how many requests may pass; None opens the gate."""

    count: int | None = None


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class About(_Answer):
    """``GET /``."""

    service: str
    version: str
    source: str
    endpoints: list[str]


class IbStatus(_Answer):
    """How the way to the provider is."""

    connected: bool
    connection_count: int


class Health(_Answer):
    """``GET /health``."""

    healthy: bool
    service: str
    timestamp: str
    status: str
    ib_status: IbStatus


class DetailedHealth(_Answer):
    """``GET /health/detailed``; the figures that the contract does not name are additions."""

    healthy: bool
    service: str
    timestamp: str
    ib_gateway_connected: bool
    active_connections: int
    max_connections: int
    total_requests: int
    requests: dict[str, int]
    cancelled_requests: int
    held_requests: int
    error_count: int
    last_error: str | None
    uptime_seconds: float
    connection_pool_status: dict[str, Any]


class HistoricalAnswer(_Answer):
    """``data`` is JSON in a string: ``{"2024-01-01T00:00:00.000Z": {"open": …}}``.

    ``success`` with an ``error`` that begins with ``partial:`` says that there may be more than came. ``warnings`` is an
    addition: what the source warned of, where it did. So is ``error_code``, the code of the error's class where it has one:
    ``service_connection`` where the provider is not there, ``configuration`` where the account may not see this,
    ``service_timeout`` where it did not answer in time; then ``error_phase`` may say ``any_size``: smaller requests were made,
    and not answered either.
    """

    success: bool
    data: str | None
    rows: int
    error: str | None
    error_code: str | None = None
    error_phase: str | None = None
    what_to_show: str | None = None
    session: str | None = None
    warnings: list[str] | None = None


class Contract(_Answer):
    """The instrument, in IB's own words."""

    symbol: str
    sec_type: str = Field(alias="secType")
    exchange: str
    currency: str


class ContractInfo(_Answer):
    """A symbol, with every field of which clients of the contract make a record; ``validated_at`` in seconds since 1970."""

    symbol: str
    contract: Contract
    asset_type: str
    exchange: str
    currency: str
    description: str
    validated_at: float
    trading_hours: dict[str, Any] | None
    head_timestamps: dict[str, str | None]


class ValidateAnswer(_Answer):
    """Of ``POST /data/validate`` and ``GET /data/symbol-info/{symbol}``."""

    success: bool
    is_valid: bool
    error_message: str | None
    contract_info: ContractInfo | None
    head_timestamps: dict[str, str | None]
    error: str | None
    error_code: str | None = None
    error_phase: str | None = None
    warnings: list[str] | None = None


class HeadTimestampAnswer(_Answer):
    """``GET /data/head-timestamp``."""

    success: bool
    timestamp: str | None
    error: str | None
    error_code: str | None = None
    error_phase: str | None = None
    warnings: list[str] | None = None


class WarningsAnswer(_Answer):
    """``GET /warnings``: what the requests of an operation were warned of that are under way."""

    operation_id: str
    warnings: list[str]


class CancelAnswer(_Answer):
    """``DELETE /operations/{id}``; ``status`` is where the request stood."""

    success: bool
    operation_id: str
    status: str | None
    error: str | None
