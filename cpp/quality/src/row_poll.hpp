#pragma once

#include <cstddef>

#include <ktrdr/quality/gaps.hpp>

namespace ktrdr {

/// Asks, on the way through rows, whether the work is still wanted. An error ends it as an `ErrorException`, which is
/// the answer of whoever began the pass.
class RowPoll final {
public:
    /// `poll` must outlive it; it may be empty.
    explicit RowPoll(const QualityPoll& poll) : poll_(poll) {}

    /// Before a row; asks at every so-manieth.
    void at(std::size_t row) const {
        constexpr std::size_t rows_between = 16 * 1024;
        if (row % rows_between == 0) {
            ask();
        }
    }
    [[nodiscard]] const QualityPoll& poll() const { return poll_; }
    void ask() const {
        if (poll_) {
            if (const auto wanted = poll_(); !wanted) {
                throw ErrorException(wanted.error());
            }
        }
    }

private:
    const QualityPoll& poll_;
};

/// What `work` answers, or the error that ended a pass of it.
template <class Work>
auto until_unwanted(const Work& work) -> decltype(work()) {
    try {
        return work();
    } catch (const ErrorException& ended) {
        return ended.error();
    }
}

}  // namespace ktrdr
