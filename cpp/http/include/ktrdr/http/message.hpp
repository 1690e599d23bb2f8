#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace ktrdr {

/// Header fields in the order given; names compare without case.
using Headers = std::vector<std::pair<std::string, std::string>>;

struct Request {
    std::string method{"GET"};
    /// Path and query as they go on the wire, beginning with '/'.
    std::string target{"/"};
    Headers headers{};
    std::string body{};
    /// May be sent again after a failure that leaves it open whether it was carried out.
    bool idempotent{false};
    /// Goes before others that wait for a connection, over a socket kept for this: for calls that stop work.
    bool urgent{false};
    /// A limit for this call alone; zero for the client's `total`, which is never passed.
    std::chrono::milliseconds timeout{0};
};

struct Response {
    int status{0};
    Headers headers{};
    std::string body{};
};

}  // namespace ktrdr
