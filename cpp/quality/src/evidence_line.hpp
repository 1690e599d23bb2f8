#pragma once

#include <optional>
#include <span>
#include <vector>

#include <ktrdr/quality/evidence.hpp>

namespace ktrdr {

/// What counts at each time, of answers that overlap.
class EvidenceLine final {
public:
    explicit EvidenceLine(std::span<const Evidence> answers);

    /// What is known of `time`; times must not fall from one question to the next.
    [[nodiscard]] const Evidence* at(UtcTime time) noexcept;
    /// Until when the answer to `at(time)` stays as it is.
    [[nodiscard]] UtcTime same_until(UtcTime time) noexcept;

private:
    /// Apart from each other, rising.
    std::vector<Evidence> pieces_;
    std::size_t next_{0};
};

}  // namespace ktrdr
