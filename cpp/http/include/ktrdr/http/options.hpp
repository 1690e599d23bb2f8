#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/retry.hpp>

namespace ktrdr {

struct PoolOptions {
    /// Most sockets open at once, busy and idle together. At least 1.
    std::size_t max_connections{10};
    /// Sockets beyond these that only urgent requests get.
    std::size_t urgent_connections{1};
    /// Most streams at once, over sockets of their own: a stream may last for hours. At least 1.
    std::size_t max_streams{64};
    /// Most requests waiting for a connection, urgent ones and others apart. At least 1.
    std::size_t max_waiters{100'000};
    /// Sockets kept open and idle from the first request on; at most `max_connections`, and 0 without an idle timeout.
    std::size_t min_idle{0};
    /// How long an idle socket is kept. Zero closes it on return; must not be negative, and below
    /// `server_idle_timeout` where that is known.
    std::chrono::milliseconds idle_timeout{std::chrono::seconds{30}};
    /// How long the server keeps an idle socket (nginx: `keepalive_timeout`, uvicorn: `--timeout-keep-alive`). Zero:
    /// not known.
    std::chrono::milliseconds server_idle_timeout{0};
    /// A socket carries no new request after this time, give or take 10 %. Must be positive.
    std::chrono::milliseconds max_lifetime{std::chrono::minutes{10}};
    /// How long the pool waits before it dials again after one failed dial, and after many. Must be positive.
    std::chrono::milliseconds dial_backoff{100};
    std::chrono::milliseconds max_dial_backoff{std::chrono::seconds{1}};
    /// Most bytes of a response's head and of its body.
    std::size_t max_head_bytes{64UL * 1024};
    std::size_t max_body_bytes{64UL * 1024 * 1024};
};

/// Limits per phase of a request; each must be positive.
struct Timeouts {
    std::chrono::milliseconds pool{std::chrono::seconds{5}};
    std::chrono::milliseconds resolve{std::chrono::seconds{5}};
    std::chrono::milliseconds connect{std::chrono::seconds{2}};
    std::chrono::milliseconds tls{std::chrono::seconds{5}};
    std::chrono::milliseconds write{std::chrono::seconds{10}};
    std::chrono::milliseconds first_byte{std::chrono::seconds{30}};
    std::chrono::milliseconds between_bytes{std::chrono::seconds{30}};
    /// The whole call, every phase together.
    std::chrono::milliseconds total{std::chrono::seconds{60}};
};

/// How `https://` is trusted. TLS 1.2 at least; host name and certificate are checked.
struct TlsOptions {
    /// Authorities that are trusted, in PEM; empty for those of the system.
    std::string ca_file{};
    /// The client's own certificate (with its chain) and its key, in PEM, where the service asks for one. Both or none.
    std::string certificate_file{};
    std::string key_file{};
    /// False trusts anybody, and logs a warning.
    bool verify{true};
};

/// How a client behaves, whatever it is asked.
struct ClientOptions {
    /// `http[s]://host[:port][/prefix]`: where requests go that name no host of their own. May be empty.
    std::string base_url{};
    /// Of each origin.
    PoolOptions pool{};
    Timeouts timeouts{};
    RetryPolicy retry{};
    TlsOptions tls{};
};

/// The refusal of an option: `configuration` naming field, value and rule ("must be positive").
[[nodiscard]] KTRDR_EXPORT Error out_of_range(std::string_view field, long long value, std::string_view rule);

/// `configuration` naming field, value and rule.
[[nodiscard]] KTRDR_EXPORT Result<void> check(const ClientOptions& options);
[[nodiscard]] KTRDR_EXPORT Result<void> check(const PoolOptions& options);
/// Only what can be said without looking at the files.
[[nodiscard]] KTRDR_EXPORT Result<void> check(const TlsOptions& options);
[[nodiscard]] KTRDR_EXPORT Result<void> check(const Timeouts& timeouts);

}  // namespace ktrdr
