#include <ktrdr/adapter/host_service_config.hpp>

#include <fmt/format.h>

namespace ktrdr {
namespace {

constexpr long most_retries = 99;
constexpr long most_connections = 100'000;

}  // namespace

Result<void> check(const HostServiceConfig& config) {
    if (config.timeout.count() <= 0) {
        return out_of_range("timeout (ms)", config.timeout.count(), "must be positive");
    }
    if (config.max_retries < 0 || config.max_retries > most_retries) {
        return out_of_range("max_retries", config.max_retries, fmt::format("must be from 0 to {}", most_retries));
    }
    if (config.max_connections < 1 || config.max_connections > most_connections) {
        return out_of_range("max_connections", static_cast<long long>(config.max_connections),
                            fmt::format("must be from 1 to {}", most_connections));
    }
    if (config.idle_timeout.count() < 0) {
        return out_of_range("idle_timeout (ms)", config.idle_timeout.count(), "must not be negative");
    }
    return check(to_client_options(config));
}

Result<HostServiceConfig> read_host_service_config(HostServiceConfig defaults, const std::string& prefix,
                                                   const Env& env) {
    const std::string service = prefix + "_HOST_SERVICE_";
    HostServiceConfig config = std::move(defaults);
    const auto timeout = env.get_seconds(service + "TIMEOUT");
    const auto retries = env.get_int(service + "MAX_RETRIES", 0, most_retries);
    const auto connections = env.get_int(service + "POOL_LIMIT", 1, most_connections);
    const auto keepalive = env.get_seconds(service + "KEEPALIVE");
    if (!timeout || !keepalive) {
        return !timeout ? timeout.error() : keepalive.error();
    }
    if (!retries || !connections) {
        return !retries ? retries.error() : connections.error();
    }
    config.timeout = timeout->value_or(config.timeout);
    config.max_retries = static_cast<int>(retries->value_or(config.max_retries));
    config.max_connections = static_cast<std::size_t>(connections->value_or(static_cast<long>(config.max_connections)));
    config.idle_timeout = keepalive->value_or(config.idle_timeout);
    if (const auto valid = check(config); !valid) {
        return valid.error();
    }
    return config;
}

ClientOptions to_client_options(const HostServiceConfig& config) {
    ClientOptions options;
    options.base_url = config.base_url;
    options.pool.max_connections = config.max_connections;
    options.pool.idle_timeout = config.idle_timeout;
    options.timeouts.total = config.timeout;
    options.timeouts.first_byte = config.timeout;
    options.timeouts.between_bytes = config.timeout;
    options.retry.attempts = config.max_retries + 1;
    options.tls = config.tls;
    return options;
}

HostServiceConfig config_of(const ClientOptions& options) {
    HostServiceConfig config;
    config.base_url = options.base_url;
    config.timeout = options.timeouts.total;
    config.max_retries = options.retry.attempts - 1;
    config.max_connections = options.pool.max_connections;
    config.idle_timeout = options.pool.idle_timeout;
    config.tls = options.tls;
    return config;
}

}  // namespace ktrdr
