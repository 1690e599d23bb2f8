#include <ktrdr/http/options.hpp>

#include <fmt/format.h>

#include <array>
#include <limits>
#include <string_view>

namespace ktrdr {
namespace {

Result<void> check_times(const PoolOptions& options) {
    if (options.idle_timeout.count() < 0) {
        return out_of_range("idle_timeout (ms)", options.idle_timeout.count(), "must not be negative");
    }
    if (options.server_idle_timeout.count() < 0) {
        return out_of_range("server_idle_timeout (ms)", options.server_idle_timeout.count(), "must not be negative");
    }
    if (options.server_idle_timeout.count() > 0 && options.idle_timeout >= options.server_idle_timeout) {
        return out_of_range("idle_timeout (ms)", options.idle_timeout.count(),
                            fmt::format("must be below server_idle_timeout ({} ms): the server would close sockets "
                                        "that a request is about to use",
                                        options.server_idle_timeout.count()));
    }
    using Time = std::pair<std::string_view, std::chrono::milliseconds>;
    const std::array positive{Time{"max_lifetime (ms)", options.max_lifetime},
                              Time{"dial_backoff (ms)", options.dial_backoff}};
    for (const auto& [field, value] : positive) {
        if (value.count() <= 0) {
            return out_of_range(field, value.count(), "must be positive");
        }
    }
    if (options.max_dial_backoff < options.dial_backoff) {
        return out_of_range("max_dial_backoff (ms)", options.max_dial_backoff.count(),
                            fmt::format("must be at least dial_backoff ({} ms)", options.dial_backoff.count()));
    }
    const bool kept = options.idle_timeout.count() > 0;
    if (options.min_idle > options.max_connections || (options.min_idle > 0 && !kept)) {
        return out_of_range("min_idle", static_cast<long long>(options.min_idle),
                            fmt::format("must be at most max_connections ({}), and 0 where idle_timeout is 0",
                                        options.max_connections));
    }
    return {};
}

}  // namespace

Error out_of_range(std::string_view field, long long value, std::string_view rule) {
    return fail(Errc::configuration, fmt::format("{} is {}, but {}", field, value, rule),
                {{"field", field}, {"value", value}, {"rule", rule}});
}

Result<void> check(const PoolOptions& options) {
    using Size = std::pair<std::string_view, std::size_t>;
    // Counts are packed by 21 bits each, and Beast keeps the head's limit in 32 bits.
    const std::array at_least_one{Size{"max_connections", options.max_connections},
                                  Size{"max_streams", options.max_streams}, Size{"max_waiters", options.max_waiters},
                                  Size{"max_head_bytes", options.max_head_bytes},
                                  Size{"max_body_bytes", options.max_body_bytes}};
    for (const auto& [field, value] : at_least_one) {
        if (value < 1) {
            return out_of_range(field, static_cast<long long>(value), "must be at least 1");
        }
    }
    if (options.max_connections > 100'000) {
        return out_of_range("max_connections", static_cast<long long>(options.max_connections),
                            "must be at most 100000");
    }
    if (options.max_head_bytes > std::numeric_limits<std::uint32_t>::max() / 2) {
        return out_of_range("max_head_bytes", static_cast<long long>(options.max_head_bytes), "must be below 2 GiB");
    }
    if (options.urgent_connections > 1000) {
        return out_of_range("urgent_connections", static_cast<long long>(options.urgent_connections),
                            "must be at most 1000");
    }
    return check_times(options);
}

Result<void> check(const TlsOptions& options) {
    if (options.certificate_file.empty() == options.key_file.empty()) {
        return {};
    }
    const std::string_view field = options.key_file.empty() ? "tls.key_file" : "tls.certificate_file";
    return fail(Errc::configuration,
                fmt::format("{} is not set, but the other half of the client's certificate is: give both", field),
                {{"field", field}});
}

Result<void> check(const ClientOptions& options) {
    for (const auto& checked :
         {check(options.pool), check(options.timeouts), check(options.retry), check(options.tls)}) {
        if (!checked) {
            return checked.error();
        }
    }
    return {};
}

Result<void> check(const Timeouts& timeouts) {
    using Limit = std::pair<std::string_view, std::chrono::milliseconds>;
    const std::array limits{Limit{"pool", timeouts.pool},
                            Limit{"resolve", timeouts.resolve},
                            Limit{"connect", timeouts.connect},
                            Limit{"tls", timeouts.tls},
                            Limit{"write", timeouts.write},
                            Limit{"first_byte", timeouts.first_byte},
                            Limit{"between_bytes", timeouts.between_bytes},
                            Limit{"total", timeouts.total}};
    for (const auto& [field, value] : limits) {
        if (value.count() <= 0) {
            return out_of_range(fmt::format("timeouts.{} (ms)", field), value.count(), "must be positive");
        }
        if (value > std::chrono::hours{24 * 365}) {
            return out_of_range(fmt::format("timeouts.{} (ms)", field), value.count(), "must be at most a year");
        }
    }
    return {};
}

}  // namespace ktrdr
