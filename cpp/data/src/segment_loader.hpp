#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <ktrdr/coroutines/gate.hpp>
#include <ktrdr/coroutines/turnstile.hpp>
#include <ktrdr/data/data_loading_job.hpp>
#include <ktrdr/data/planner.hpp>
#include <ktrdr/data/request_planner.hpp>

#include "answer_judge.hpp"
#include "source_traffic.hpp"

namespace ktrdr {

/// What came of the segments of one load.
struct LoadedSegments {
    /// Those that came and those that did not, and at least so many as are still to come.
    std::size_t planned{0};
    std::int64_t committed{0};
    std::int64_t bars{0};
    /// What did not come, was refused, or was no longer asked for.
    std::vector<TimeRange> missing{};
    /// Those that may lack bars, and why.
    std::vector<std::pair<TimeRange, std::string>> partial{};
    std::vector<SourceAnswer::DroppedRow> dropped{};
    /// What was put right in answers, each text once.
    std::set<std::string> mended{};
    /// What was written into the ledger.
    std::vector<TimeRange> noted{};
    /// Where bars should or could be, and none came.
    std::vector<TimeRange> unconfirmed{};
    /// Brought by further requests for what answers had left out.
    std::size_t brought_late{0};
    /// Some of them because a request was refused before.
    bool refused_once{false};
    /// Bars where the calendar has none.
    std::vector<UtcTime> off_grid{};
    /// The oldest bar that was missing and came.
    std::optional<UtcTime> oldest{};
    /// Stored bars beside what was missing that have other numbers at the provider.
    std::size_t revised{0};
    /// A stamp of bars that came stamped inside of their periods.
    std::optional<UtcTime> stamped_inside{};
    /// How far the provider's clock was ahead of this machine's; behind it, where negative. The most of all answers.
    std::chrono::nanoseconds clocks_apart{0};
    std::optional<Error> first_error{};
    /// The store or the code failed: whatever else came, the load ends with this.
    std::optional<Error> fatal{};
};

/// Asks for segments, a few at the same time, and stores what each brought before it is announced.
///
/// A segment that another load of the series asks for at this moment is waited for, and what that has brought is not
/// asked for again. What an answer brought a part of is asked for once more, without what came, as long as that brings
/// bars; what a source refuses, or does not answer in time, is asked for in smaller parts. Each request waits for its
/// turn among those of all loads.
/// Cancellation: no further segment is begun, and none waited for. Thread safety: the io thread.
class SegmentLoader final : public std::enable_shared_from_this<SegmentLoader> {
public:
    struct Means {
        /// As it was when the missing ranges were found.
        const SeriesFacts& known;
        const LoadTask& task;
        const LoadMeans& load;
        std::shared_ptr<Operation> operation;
        BarGrid grid;
        SourceCall call;
        SourceLimits limits;
        Asker asker;
        std::shared_ptr<SourceTraffic> traffic;
        /// Called whenever one was stored or more are planned.
        std::function<void(const LoadedSegments&)> announce;
        /// Told at once, for a person.
        std::function<void(const std::string&)> warn;
    };
    /// `means` outlives `load`.
    explicit SegmentLoader(Means means);

    [[nodiscard]] boost::asio::awaitable<void> load(std::vector<TimeRange> missing);
    [[nodiscard]] const LoadedSegments& loaded() const noexcept { return loaded_; }

private:
    /// Requests of ranges; only one coroutine at a time is with the planner.
    struct Round {
        std::shared_ptr<RequestPlanner> planner;
        Turnstile planning{1};
        /// Requests that are still to be made, at least.
        std::size_t left{0};
    };
    [[nodiscard]] std::shared_ptr<Round> round_of(std::vector<TimeRange> missing) const;
    [[nodiscard]] boost::asio::awaitable<void> load_all();
    [[nodiscard]] boost::asio::awaitable<void> lane();
    /// Unset where there is none left.
    [[nodiscard]] boost::asio::awaitable<Result<std::optional<AskedSegment>>> next_of(std::shared_ptr<Round> round);
    [[nodiscard]] boost::asio::awaitable<void> load_one(AskedSegment asked, std::shared_ptr<RequestQueue::Lane> lane);
    /// Unset where the range is to be asked for as it was planned, else what is left of it.
    using Rest = std::optional<std::vector<TimeRange>>;
    [[nodiscard]] boost::asio::awaitable<Result<Rest>> still_missing(TimeRange range);
    [[nodiscard]] boost::asio::awaitable<void> ask(AskedSegment asked);
    /// Whether it is not sent any more.
    [[nodiscard]] bool put_aside(const AskedSegment& asked);
    [[nodiscard]] boost::asio::awaitable<Result<Judged>> fetch(std::shared_ptr<const AskedSegment> asked,
                                                               UtcTime asked_at,
                                                               std::shared_ptr<RequestQueue::Turn> turn);
    [[nodiscard]] RequestPlanner::Pace pace() const;
    [[nodiscard]] bool going_on() const { return !stopped_ && !means_.operation->token().is_cancelled(); }
    void compare_clocks(UtcTime sent, const Result<SourceAnswer>& answer);
    void measure(const RequestQueue::Turn& turn, const Result<SourceAnswer>& answer, RequestPace::Seconds took);
    void tell();
    void fail_with(Error error);
    void miss(const AskedSegment& asked, Error error);
    /// Whether what was refused is asked for once more in this load's next round, in smaller parts, or slower.
    [[nodiscard]] bool worth_another(const AskedSegment& asked, const Error& error);
    void note(const AskedSegment& asked, const Judged& judged, const CommittedSegment& committed);
    void learn_span(const AskedSegment& asked, const Judged& judged, const CommittedSegment& committed);

    const Means means_;
    const UtcTime began_;
    RequestPace& pace_;
    LoadedSegments loaded_{};
    std::shared_ptr<Round> round_{};
    /// Segments that were begun.
    std::size_t begun_{0};
    /// Left out by answers that brought something, and refused.
    std::vector<TimeRange> again_{};
    bool first_round_{true};
    /// Requests are no longer than is needed: longer ones were answered by what nobody needed.
    bool exactly_{false};
    /// Of a load that begins at the newest end: what the ledger must say is still to come, once something newer is
    /// stored. Unset once it does.
    std::optional<UtcTime> to_come_from_{};
    int failures_in_row_{0};
    /// What was last refused and is asked for once more.
    std::optional<Error> put_off_{};
    /// Requests ask for no more: one was refused, or answers hold no more.
    std::optional<std::chrono::nanoseconds> smaller_{};
    int shrunk_in_row_{0};
    /// Whether a smaller request is refused, too, is tried by one alone.
    Turnstile trying_{1};
    /// How many bars the last answer held that came short.
    std::size_t held_{0};
    /// No further segment is begun.
    bool stopped_{false};
    std::size_t lanes_{0};
    std::shared_ptr<Gate> all_done_{};
};

}  // namespace ktrdr
