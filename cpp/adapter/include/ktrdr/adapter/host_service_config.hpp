#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <ktrdr/base/env.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/options.hpp>

namespace ktrdr {

/// How a host service is reached, in the few figures that services differ in.
struct HostServiceConfig {
    /// `http[s]://host[:port][/prefix]`.
    std::string base_url{};
    /// The whole of a call, all attempts together. Must be positive.
    std::chrono::milliseconds timeout{std::chrono::seconds{30}};
    /// Attempts after the first, from 0 to 99.
    int max_retries{3};
    /// Most connections at once, from 1 to 100000.
    std::size_t max_connections{20};
    /// How long an idle connection is kept; choose less than the service's own limit. Zero keeps none.
    std::chrono::milliseconds idle_timeout{std::chrono::seconds{30}};
    TlsOptions tls{};
};

/// `configuration` naming field, value and rule. A base URL may be missing here.
[[nodiscard]] KTRDR_EXPORT Result<void> check(const HostServiceConfig& config);

/// What the variables `<prefix>_HOST_SERVICE_TIMEOUT` (seconds), `_MAX_RETRIES`, `_POOL_LIMIT` and `_KEEPALIVE`
/// (seconds) say, and `defaults` where they say nothing. The URL is the route's (`resolve_route`).
///
/// Errors: `configuration` for a variable that cannot be read, naming variable, value and what is allowed.
[[nodiscard]] KTRDR_EXPORT Result<HostServiceConfig> read_host_service_config(HostServiceConfig defaults,
                                                                              const std::string& prefix,
                                                                              const Env& env);

/// The client of such a service: no single wait is longer than the whole call may be.
[[nodiscard]] KTRDR_EXPORT ClientOptions to_client_options(const HostServiceConfig& config);
/// The config that gives such a client.
[[nodiscard]] KTRDR_EXPORT HostServiceConfig config_of(const ClientOptions& options);

}  // namespace ktrdr
