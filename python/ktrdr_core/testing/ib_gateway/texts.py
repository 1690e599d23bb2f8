"""What a gateway says beside its codes, in some of the languages that it speaks."""

from __future__ import annotations

BAR_SIZES_TEXT = (
    "1 secs, 5 secs, 10 secs, 15 secs, 30 secs, 1 min, 2 mins, 3 mins, 5 mins, 10 mins, 15 mins, 20 mins, "
    "30 mins, 1 hour, 2 hours, 3 hours, 4 hours, 8 hours, 1 day, 1W, 1M"
)

#: Texts of error 162 by language and kind; the text of a notice is English in all.
HISTORY = {
    "en": {
        "service": "Historical Market Data Service error message:",
        "pacing": "Historical data request pacing violation",
        "empty": "HMDS query returned no data: {what}",
        "cancelled": "API historical data query cancelled: {id}",
        "permission": "No market data permissions for {exchange} {type}",
        "too long": "Time length exceed max.",
    },
    "es": {
        "service": "Mensaje de error del servicio de datos de mercado históricos:",
        "pacing": "Infracción del ritmo de solicitudes de datos históricos",
        "empty": "La consulta HMDS no ha devuelto datos: {what}",
        "cancelled": "Consulta de datos históricos API cancelada: {id}",
        "permission": "Sin permisos de datos de mercado para {exchange} {type}",
        "too long": "La duración excede el máximo.",
    },
    "de": {
        "service": "Fehlermeldung des Dienstes für historische Marktdaten:",
        "pacing": "Verletzung der Anfragefrequenz für historische Daten",
        "empty": "HMDS-Abfrage ergab keine Daten: {what}",
        "cancelled": "API-Abfrage historischer Daten storniert: {id}",
        "permission": "Keine Marktdatenberechtigung für {exchange} {type}",
        "too long": "Zeitspanne überschreitet das Maximum.",
    },
    "zh": {
        "service": "历史市场数据服务错误信息\uff1a",
        "pacing": "历史数据请求超出频率限制",
        "empty": "HMDS查询未返回数据\uff1a{what}",
        "cancelled": "API历史数据查询已取消\uff1a{id}",
        "permission": "没有{exchange} {type}的市场数据权限",
        "too long": "时间长度超过最大值。",
    },
}

#: Texts of codes that come without a request, and of those that are the same in each language.
NOTICES = {
    100: "Max rate of messages per second has been exceeded:max=50 rec={count} (1)",
    200: "No security definition has been found for the request",
    320: "Server error when reading an API client request.",
    321: "Server error when validating an API client request.",
    322: "Server error when processing an API client request.",
    326: "Unable to connect as the client id is already in use. Retry with a unique client id.",
    165: "Historical Market Data Service query message:HMDS server connection was successful.",
    354: "Requested market data is not subscribed.",
    366: "No historical data query found for ticker id:{id}",
    420: "Invalid Real-time Query:Historical data request pacing violation",
    502: "Couldn't connect to TWS.",
    504: "Not connected",
    507: "Bad Message Length",
    1100: "Connectivity between IBKR and Trader Workstation has been lost.",
    1101: "Connectivity between IBKR and Trader Workstation has been restored - data lost.",
    1102: "Connectivity between IBKR and Trader Workstation has been restored - data maintained. "
    "All data farms are connected: usfarm; ushmds; secdefil.",
    1300: "TWS socket port has been reset and this connection is being dropped. Please reconnect on the new port -4002",
    2103: "Market data farm connection is broken:usfarm",
    2104: "Market data farm connection is OK:usfarm",
    2105: "HMDS data farm connection is broken:ushmds",
    2106: "HMDS data farm connection is OK:ushmds",
    2107: "HMDS data farm connection is inactive but should be available upon demand.ushmds",
    2108: "Market data farm connection is inactive but should be available upon demand.usfarm",
    2110: "Connectivity between Trader Workstation and server is broken. It will be restored automatically.",
    2157: "Sec-def data farm connection is broken:secdefil",
    2158: "Sec-def data farm connection is OK:secdefil",
    2174: "Warning: You submitted request with date-time attributes without explicit time zone. "
    "Please switch to use yyyymmdd-hh:mm:ss in UTC or use instrument timezone, like EUREX.",
    10089: "Requested market data requires additional subscription for API.",
    10090: "Part of requested market data is not subscribed.",
    10167: "Requested market data is not subscribed. Displaying delayed market data.",
    10168: "Requested market data is not subscribed. Delayed market data is not enabled.",
    10182: "Failed to request live updates (disconnected).",
    10186: "Requested market data is not subscribed. Delayed market data is not available.",
    10197: "No market data during competing live session",
    10225: "Bust event occurred, current subscription is deactivated. Please resubscribe real-time bars immediately.",
    10314: "End Date/Time: The date, time, or time-zone entered is invalid. The correct format is yyyymmdd hh:mm:ss "
    "xx/xxxx where yyyymmdd and xx/xxxx are optional. E.g.: 20031126 15:59:00 US/Eastern",
}


def notice(code: int, **facts: object) -> str:
    """Give the text of a code, with what is usual where its facts are not told."""
    return NOTICES.get(code, f"code {code}").format_map({"id": 0, "count": 51, **facts})


def history(language: str, kind: str, **facts: object) -> str:
    """Give a text of error 162."""
    words = HISTORY[language]
    return words["service"] + words[kind].format_map(facts)


def invalid(cause: str) -> str:
    """Give the text of an error 321."""
    return f"Error validating request.-'bR' : cause - {cause}"
