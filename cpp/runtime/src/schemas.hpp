#pragma once

#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/bar_store/sent_requests.hpp>

namespace ktrdr {

/// The tables of every room in the one file, whoever opens it first.
[[nodiscard]] inline std::vector<Schema> schemas() {
    return {BarStore::schema(), SentRequests::schema()};
}

}  // namespace ktrdr
