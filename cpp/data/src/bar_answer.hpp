#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/data/ib_answers.hpp>

namespace ktrdr {

/// A row of an answer, its values in the order open, high, low, close, volume.
struct AnswerRow {
    std::int64_t stamp{0};
    std::array<double, 5> values{};
};

/// What came, in the order in which it came.
struct AnswerRows {
    std::vector<AnswerRow> good{};
    std::vector<SourceAnswer::DroppedRow> dropped{};
    /// Rows whose volume is there and no number that one can be.
    std::size_t odd_volumes{0};
};

/// What is said of a row whose price is none.
[[nodiscard]] std::string no_price(std::string_view field);

/// What is said of volumes that count as not given, though something stands there; nothing for none.
[[nodiscard]] std::string odd_volumes(std::size_t count);

/// `protocol`: the answer to what was `asked` breaks the contract in this way.
[[nodiscard]] Error broken_answer(const std::string& asked, const std::string& how);

/// The object of an answer that is no failure: these travel as HTTP 200 with `success: false`, and are `host_service`.
[[nodiscard]] Result<const boost::json::object*> successful(const boost::json::value& answer, const std::string& asked);

/// A service that knows only the contract's fields leaves others out, and would bring trades as bids: `protocol` where
/// other bars than the usual ones are wanted, and the answer does not say that it brings them.
[[nodiscard]] Result<void> check_kind(const boost::json::object& answer, const SeriesKind& kind,
                                      const std::string& asked);

/// Why more may be there than the `came` rows, by what the answer says itself; nothing for nothing.
[[nodiscard]] std::string shortfall(const boost::json::object& answer, std::size_t came);

/// The rows as an answer: sorted, of two with one stamp the later, inside the segment, closed. `partial` says why more
/// may be there than came. Errors: `protocol` where none lies inside the range that was asked for, nor any that was
/// dropped, and where there is nothing and more may be there.
[[nodiscard]] Result<SourceAnswer> answer_of(AnswerRows rows, std::string partial, const BarsWanted& wanted,
                                             const std::string& asked);
/// The same for bars whose stamps rise and whose prices are numbers. Cost: none where all of them are wanted.
[[nodiscard]] Result<SourceAnswer> answer_of(Bars bars, std::string partial, const BarsWanted& wanted,
                                             const std::string& asked);

}  // namespace ktrdr
