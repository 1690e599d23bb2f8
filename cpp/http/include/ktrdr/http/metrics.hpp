#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/http/pool_stats.hpp>

namespace ktrdr {

/// Durations as their count, their sum and the limits below which a share of them lies.
///
/// Units: seconds. Percentiles are those of buckets 6 % wide; `sum` and `max` are exact.
struct DurationSummary {
    std::uint64_t count{0};
    double sum{0};
    double p50{0};
    double p90{0};
    double p99{0};
    double max{0};
};

/// What a client has done since it was made. Times go from 1 us to an hour; what is beyond counts as the limit.
struct ClientMetrics {
    PoolStats pool{};
    /// Whole calls, from their start to the answer (of streams: to its head), attempts and pauses together.
    DurationSummary request_duration{};
    /// What attempts waited for a connection, dials included.
    DurationSummary wait_time{};
    /// Answers by the first digit of their status: "2xx".
    std::map<std::string, std::uint64_t> responses{};
    /// Calls without an answer, by `Errc`.
    std::map<std::string, std::uint64_t> errors{};
    /// Connections closed, by reason: idle_timeout, max_lifetime, peer_closed (while idle), unasked_bytes (the service
    /// said what it was not asked for), not_reusable (the service asked for it, the answer broke, or the pool is on its
    /// guard), abandoned (a cancel or a limit), dropped (idle beside one found dead or speaking), client_closed.
    std::map<std::string, std::uint64_t> connections_closed{};
    /// Attempts sent again, by what went wrong before: a status, else an `Errc`.
    std::map<std::string, std::uint64_t> retries{};
};

/// By the names of OpenTelemetry's HTTP client metrics where there are such ("Semantic Conventions for HTTP Metrics"),
/// else by names that begin with `pool.` and `retry.`.
[[nodiscard]] KTRDR_EXPORT boost::json::object to_json(const ClientMetrics& metrics);

}  // namespace ktrdr
