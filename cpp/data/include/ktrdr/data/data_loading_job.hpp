#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/calendar/calendar_rules.hpp>
#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/data/data_progress_renderer.hpp>
#include <ktrdr/data/load_request.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

struct LoadedSegments;
class SourceWarnings;
struct SourceTraffic;

/// What all loads from one source share: the queue of their requests, and what these take.
[[nodiscard]] KTRDR_EXPORT std::shared_ptr<SourceTraffic> make_source_traffic();

/// What a load works with. The executors and the clock must outlive it.
struct LoadMeans {
    /// What is stored is read there: a long series must not hold up those who commit.
    Executor& compute;
    /// What came is committed there.
    Executor& store_executor;
    const Clock& clock;
    std::shared_ptr<BarStore> store;
    /// May be null in local mode.
    std::shared_ptr<BarSource> source;
    /// Shared with other loads from the source; null for a load that is alone.
    std::shared_ptr<SourceTraffic> traffic{};
    /// Requests of loads with a higher one go first.
    int priority{0};
    /// The user's own calendars; null for none.
    CalendarRulesPtr calendars{};
};

/// One load: what is missing is found, asked for segment by segment, and every segment is stored before it is
/// announced; the result is what the store then has of the range.
///
/// Errors: an error of the source when nothing came; a storage error at once; `no_data` when the provider has nothing
/// of the range; `invalid_argument` where the request has no start and the source cannot say where its bars begin. When
/// some segments came and others did not, or an answer may lack bars, the result is what there is, the operation gets a
/// warning, and the next load asks for them. Cancellation: between segments, inside each call of
/// the source, and before the result; segments stored stay stored. Thread safety: `run` on the io thread, once.
class KTRDR_EXPORT DataLoadingJob final : private Counted<DataLoadingJob> {
public:
    DataLoadingJob(LoadTask task, LoadMeans means, std::shared_ptr<Operation> operation);
    DataLoadingJob(const DataLoadingJob&) = delete;
    DataLoadingJob& operator=(const DataLoadingJob&) = delete;
    ~DataLoadingJob();

    [[nodiscard]] boost::asio::awaitable<Result<BarsPtr>> run();

private:
    [[nodiscard]] boost::asio::awaitable<Result<void>> ask_for_missing();
    [[nodiscard]] boost::asio::awaitable<Result<void>> learn_symbol(SeriesFacts facts);
    [[nodiscard]] boost::asio::awaitable<Result<void>> learn_first_timestamp(SeriesFacts facts);
    /// Bars came from before it.
    [[nodiscard]] boost::asio::awaitable<Result<void>> correct_first_timestamp(UtcTime oldest);
    [[nodiscard]] boost::asio::awaitable<Result<void>> remember_first_timestamp(FirstTimestamp known);
    [[nodiscard]] boost::asio::awaitable<Result<void>> load_segments(std::vector<TimeRange> missing, SeriesFacts known,
                                                                     BarGrid grid);
    /// Of places where prices were re-based, and of ranges that were `noted` in the ledger and are no more.
    [[nodiscard]] boost::asio::awaitable<Result<void>> warn_of_the_store(std::vector<TimeRange> noted);
    [[nodiscard]] boost::asio::awaitable<Result<BarsPtr>> read_bars();
    /// The bars as they are handed out.
    [[nodiscard]] boost::asio::awaitable<Result<BarsPtr>> check_bars(BarsPtr bars);
    /// Take what the provider says of the contract into the series' key, and into what the request's dates stand for.
    [[nodiscard]] boost::asio::awaitable<Result<void>> settle_series();

    /// What the mode asks for. `invalid_argument` where only a first timestamp could say it.
    [[nodiscard]] Result<TimeRange> range_to_ask(const SeriesFacts& facts, const BarGrid& grid) const;
    [[nodiscard]] std::vector<TimeRange> missing_of(TimeRange range, const SeriesFacts& facts,
                                                    const BarGrid& grid) const;
    [[nodiscard]] Result<void> summarise(const LoadedSegments& loaded, const BarGrid& grid) const;
    void warn_of_shortfall(const LoadedSegments& loaded, const BarGrid& grid) const;
    void warn(const std::string& text) const;
    void enter(LoadStep step);
    void announce(const LoadedSegments& loaded);
    [[nodiscard]] Result<void> check_alive(std::string_view where) const;
    [[nodiscard]] SourceCall call() const;
    /// Whose requests wait in the source's queue.
    struct Place;
    [[nodiscard]] Error no_data() const;

    /// Its key and range are settled once the contract is known.
    LoadTask task_;
    const LoadMeans means_;
    const std::shared_ptr<Operation> operation_;
    const std::shared_ptr<SourceWarnings> told_;
    std::unique_ptr<Place> place_{};
    std::optional<UtcTime> first_{};
    /// The oldest bar that was missing and came.
    std::optional<UtcTime> oldest_{};
    TimeRange asked_{};
    std::optional<Error> segment_error_{};
};

}  // namespace ktrdr
