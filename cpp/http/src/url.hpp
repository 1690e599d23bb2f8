#pragma once

#include <string>
#include <string_view>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Where a pool's connections go.
struct Origin {
    /// As it is looked up: no brackets around an IPv6 address, lower case.
    std::string host{};
    std::string port{};
    bool tls{false};
    /// As it is sent: brackets, and the port unless it is the scheme's own.
    std::string host_header{};
    /// `http[s]://host:port`; two origins are the same when this is.
    std::string url{};
};

/// An address as the client uses it: where, and what to ask for there.
struct Url {
    Origin origin{};
    /// Path and query. Of a base URL: put before every target; empty, or "/prefix" without a slash at the end.
    std::string target{};
};

/// Read `http[s]://host[:port][/prefix]`. `configuration` that says what is wrong; a password is not repeated.
[[nodiscard]] Result<Url> parse_base_url(std::string_view url);

/// Read `http[s]://host[:port][/path][?query]`; `invalid_argument` with what is wrong and nothing else.
[[nodiscard]] Result<Url> read_url(std::string_view url);

/// Read `http[s]://host[:port][/path][?query]`; a fragment is left out, for it is not sent. `invalid_argument` that
/// says what is wrong; a password is not repeated.
[[nodiscard]] Result<Url> parse_url(std::string_view url);

/// What an error may repeat of a URL that cannot be used: no query and no user info, on one line, and not endless.
[[nodiscard]] std::string url_in_error(std::string_view url);

}  // namespace ktrdr
