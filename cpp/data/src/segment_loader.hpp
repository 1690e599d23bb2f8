#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ktrdr/coroutines/gate.hpp>
#include <ktrdr/data/data_loading_job.hpp>
#include <ktrdr/data/planner.hpp>

namespace ktrdr {

/// What came of the segments of one load.
struct LoadedSegments {
    std::size_t planned{0};
    std::int64_t committed{0};
    std::int64_t bars{0};
    /// Those that did not come, were refused, or were no longer asked for.
    std::vector<TimeRange> missing{};
    /// Those that may lack bars, and why.
    std::vector<std::pair<TimeRange, std::string>> partial{};
    std::vector<SourceAnswer::DroppedRow> dropped{};
    /// Where bars should or could be, and none came.
    std::vector<TimeRange> unconfirmed{};
    /// Brought by further requests for what answers had left out.
    std::size_t brought_late{0};
    /// Bars where the calendar has none.
    std::vector<UtcTime> off_grid{};
    /// Stored bars beside what was missing that have other numbers at the provider.
    std::size_t revised{0};
    std::optional<Error> first_error{};
    /// The store or the code failed: whatever else came, the load ends with this.
    std::optional<Error> fatal{};
};

/// Asks for segments, a few at the same time, and stores what each brought before it is announced.
///
/// A segment that another load of the series asks for at this moment is waited for, and what that has brought is not
/// asked for again. What an answer brought a part of is asked for once more, without what came, as long as that brings
/// bars. Cancellation: no further segment is begun, and none waited for. Thread safety: the io thread.
class SegmentLoader final : public std::enable_shared_from_this<SegmentLoader> {
public:
    using Plan = std::function<boost::asio::awaitable<Result<std::vector<AskedSegment>>>(std::vector<TimeRange>)>;
    struct Means {
        /// As it was when the missing ranges were found.
        const SeriesFacts& known;
        const LoadTask& task;
        const LoadMeans& load;
        std::shared_ptr<Operation> operation;
        BarGrid grid;
        SourceCall call;
        std::size_t most_in_flight{1};
        /// Makes segments of missing ranges.
        Plan plan;
        /// Called whenever one was stored or more are planned.
        std::function<void(const LoadedSegments&)> announce;
    };
    /// `means` outlives `load`.
    explicit SegmentLoader(Means means) : means_(std::move(means)), began_(means_.load.clock.utc_now()) {}

    [[nodiscard]] boost::asio::awaitable<void> load(std::vector<TimeRange> missing);
    [[nodiscard]] const LoadedSegments& loaded() const noexcept { return loaded_; }

private:
    [[nodiscard]] boost::asio::awaitable<void> load_all(std::vector<AskedSegment> segments);
    [[nodiscard]] boost::asio::awaitable<void> lane();
    [[nodiscard]] boost::asio::awaitable<void> load_one(AskedSegment asked);
    /// Unset where the range is to be asked for as it was planned, else what is left of it.
    using Rest = std::optional<std::vector<TimeRange>>;
    [[nodiscard]] boost::asio::awaitable<Result<Rest>> still_missing(TimeRange range);
    [[nodiscard]] boost::asio::awaitable<void> ask(AskedSegment asked);
    void fail_with(Error error);
    void miss(TimeRange range, Error error);
    void note(const AskedSegment& asked, const SourceAnswer& answer, const Segment& stored,
              const CommittedSegment& committed);

    const Means means_;
    const UtcTime began_;
    LoadedSegments loaded_{};
    std::vector<AskedSegment> segments_{};
    std::size_t next_{0};
    /// Left out by answers that brought something.
    std::vector<TimeRange> again_{};
    bool first_round_{true};
    int failures_in_row_{0};
    /// No further segment is begun.
    bool stopped_{false};
    std::size_t lanes_{0};
    std::shared_ptr<Gate> all_done_{};
};

}  // namespace ktrdr
