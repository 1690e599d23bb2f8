#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include <ktrdr/quality/evidence.hpp>

namespace ktrdr::bindings {

/// Start, end, kind, when it was asked.
using EvidenceFacts = std::tuple<std::int64_t, std::int64_t, std::string, std::int64_t>;

/// `invalid_argument` naming the kinds for any other.
[[nodiscard]] std::vector<Evidence> evidence_from(const std::vector<EvidenceFacts>& facts);
[[nodiscard]] std::vector<EvidenceFacts> facts_of(const std::vector<Evidence>& evidence);

}  // namespace ktrdr::bindings
