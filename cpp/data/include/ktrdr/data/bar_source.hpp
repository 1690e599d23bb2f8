#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/timeframe.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

class AsyncServiceAdapter;

/// What a source can give at once.
struct SourceLimits {
    /// The longest range of one fetch.
    std::chrono::nanoseconds max_span{std::chrono::days{365}};
    /// Most fetches at the same time, of all loads together. At least 1.
    std::size_t max_in_flight{3};
    /// The range of the first fetch; later ones grow up to `max_span` where that spares time. Zero: `max_span`.
    std::chrono::nanoseconds first_span{0};
};

/// Which of a symbol's series bars are to be of, in the words of `SeriesWords`.
struct SeriesKind {
    /// Empty where nobody has said.
    std::string instrument_type{};
    std::string what_to_show{"TRADES"};
    std::string session{"regular"};

    /// What any source has: trades, of forex midpoints, of regular hours.
    [[nodiscard]] KTRDR_EXPORT bool usual() const noexcept;
    friend bool operator==(const SeriesKind&, const SeriesKind&) = default;
};

/// For whom a source works, and of which series.
struct SourceCall {
    CancellationToken token{};
    std::string operation_id{};
    /// Whose event log hears of what had to be tried again; may be empty.
    std::weak_ptr<Operation> operation{};
    SeriesKind kind{};
    /// Tells whoever waits what a person should know while it works, "waits for …"; may be empty. From any thread.
    std::function<void(const std::string&)> warn{};
    /// The periods of the series' bars, where who asks knows them: they tell which bars are closed.
    std::optional<BarGrid> grid{};

    /// Those, else the ones of bars of that length whose market nobody knows.
    [[nodiscard]] BarGrid grid_of(const Timeframe& timeframe) const { return grid ? *grid : BarGrid(timeframe); }
};

/// What a source brought for a segment, and what that proves.
struct SourceAnswer {
    /// A row that came and cannot be used.
    struct DroppedRow {
        UtcTime start{};
        /// What is wrong with it, for a person.
        std::string why{};

        friend bool operator==(const DroppedRow&, const DroppedRow&) = default;
    };

    SourceAnswer() = default;
    /// All there is in the segment.
    SourceAnswer(Bars all) : bars(std::move(all)) {}  // NOLINT(google-explicit-constructor)

    /// Closed bars that start inside the segment, oldest first. None is an answer: the provider has nothing there.
    Bars bars{};
    /// Why there may be more than came; empty where this is all. The bars are kept, and the segment is asked for again.
    std::string partial{};
    /// Their periods are asked for again.
    std::vector<DroppedRow> dropped{};
    /// What had to be put right before these were bars, for a person: rows that came twice, or in no order. Empty for
    /// nothing.
    std::string mended{};
    /// What the provider's clock said when it answered, to the second; unset where it does not say.
    std::optional<UtcTime> provider_now{};
};

/// Where bars come from. A vendor is one class.
///
/// Cancellation: every call ends with `cancelled` (or `timed_out`) soon after its token was cancelled.
/// Thread safety: coroutines run on the io thread; several may be in flight at once.
/// Lifetime: the caller keeps the source alive until they have ended.
class KTRDR_EXPORT BarSource {
public:
    virtual ~BarSource() = default;
    /// The short name under which its bars are stored.
    [[nodiscard]] virtual std::string provider() const = 0;
    [[nodiscard]] virtual SourceLimits describe(const Timeframe& timeframe) const = 0;
    /// Whether it has such series: `invalid_argument` where it does not, before it is asked anything. Here only usual
    /// ones.
    [[nodiscard]] virtual Result<void> check_kind(const SeriesKind& kind) const;
    /// What the symbol stands for, as far as the provider says. `symbol_unknown` when it does not know it.
    [[nodiscard]] virtual boost::asio::awaitable<Result<Contract>> validate_symbol(std::string symbol,
                                                                                   Timeframe timeframe,
                                                                                   SourceCall call) = 0;
    /// The start of the oldest bar there is, unset when the provider cannot say.
    [[nodiscard]] virtual boost::asio::awaitable<Result<std::optional<UtcTime>>> first_timestamp(std::string symbol,
                                                                                                 Timeframe timeframe,
                                                                                                 SourceCall call) = 0;
    /// The bars that start inside `segment`, and whether they are all.
    [[nodiscard]] virtual boost::asio::awaitable<Result<SourceAnswer>> fetch(std::string symbol, Timeframe timeframe,
                                                                             TimeRange segment, SourceCall call) = 0;
    /// The host service it asks; null for a source that asks none.
    [[nodiscard]] virtual std::shared_ptr<AsyncServiceAdapter> service() const { return nullptr; }
};

}  // namespace ktrdr
