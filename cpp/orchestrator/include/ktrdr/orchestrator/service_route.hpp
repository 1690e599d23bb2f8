#pragma once

#include <optional>
#include <string>

#include <ktrdr/base/env.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// What a domain's host service is called.
struct ServiceNames {
    /// For a person.
    std::string service{};
    /// May be empty: then a URL has to be given or set.
    std::string default_host_url{};
    /// IB for `USE_IB_HOST_SERVICE` and `IB_HOST_SERVICE_URL`. Upper-case letters, digits and underscores.
    std::string env_var_prefix{};
};

/// Where an operation's work is done.
struct ServiceRoute {
    bool use_host_service{false};
    /// Set exactly when the host service is used.
    std::string url{};
};

/// Argument before environment before default.
///
/// A URL chooses the host service, be it an argument or a variable; `USE_<PREFIX>_HOST_SERVICE=false` switches a URL of
/// the environment off.
///
/// Errors: `configuration` for a variable that cannot be read, for a URL that is missing or is no http URL, and for a
/// prefix that no variable can have; `invalid_argument` for arguments that contradict each other.
[[nodiscard]] KTRDR_EXPORT Result<ServiceRoute> resolve_route(const ServiceNames& names, const Env& env,
                                                              std::optional<bool> use_host_service,
                                                              const std::optional<std::string>& host_service_url);

}  // namespace ktrdr
