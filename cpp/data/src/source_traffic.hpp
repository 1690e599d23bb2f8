#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "request_pace.hpp"
#include "request_queue.hpp"

namespace ktrdr {

/// What all loads from one source share: the queue of their requests, and how long these take.
///
/// Thread safety: none; the io thread.
struct SourceTraffic {
    std::shared_ptr<RequestQueue> queue = std::make_shared<RequestQueue>();
    /// By the timeframe's name.
    std::map<std::string, RequestPace> paces{};
    std::uint64_t loads{0};

    [[nodiscard]] RequestPace& pace_of(const Timeframe& timeframe, const SourceLimits& limits) {
        return paces.try_emplace(std::string(timeframe.name()), limits, timeframe).first->second;
    }
};

}  // namespace ktrdr
