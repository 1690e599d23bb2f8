#pragma once

#include <string>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// Where a pool's connections go, read once from `http://host[:port][/prefix]`.
struct Origin {
    /// As it is looked up: no brackets around an IPv6 address.
    std::string host{};
    std::string port{"80"};
    /// As it is sent: brackets, and the port unless it is 80.
    std::string host_header{};
    /// Put before every target; empty or "/prefix" without a slash at the end.
    std::string prefix{};
    /// `http://host:port/prefix`.
    std::string url{};
};

/// `configuration` that says what is wrong with the URL; a password in it is not repeated.
[[nodiscard]] Result<Origin> parse_origin(const std::string& url);

}  // namespace ktrdr
