#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/data/series_words.hpp>
#include <ktrdr/data/settling_behind.hpp>
#include <ktrdr/market/bar_check.hpp>
#include <ktrdr/market/bars.hpp>
#include <ktrdr/market/csv_style.hpp>
#include <ktrdr/market/timeframe.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

class CsvReader;

/// Whose bars somebody brings.
struct StoreRequest {
    std::string symbol{};
    std::string timeframe{};
    /// Columns of the frame that no bar has: the operation warns of them.
    std::vector<std::string> ignored{};
    /// The operation that this belongs to, and is cancelled with; or empty.
    std::string parent_id{};
    SeriesWords series{};
};

/// A CSV file that somebody brings.
struct ImportRequest {
    std::filesystem::path file{};
    /// Unset: what the file's name says, `{SYMBOL}_{timeframe}.csv`; percent signs stand as in URLs
    /// (`BTC%2FUSDT_1h.csv`).
    std::optional<std::string> symbol{};
    std::optional<std::string> timeframe{};
    std::string parent_id{};
    SeriesWords series{};
};

/// The series that the request or the file's name says. `invalid_argument` where neither says a timeframe.
[[nodiscard]] KTRDR_EXPORT Result<SeriesRequest> series_of(const ImportRequest& request);
/// The same of `provider` (see the other `check_series`).
[[nodiscard]] KTRDR_EXPORT Result<SeriesKey> check_series(const ImportRequest& request, const std::string& provider);

/// The first of own bars that cannot be, or is not closed at `now`: a day is where its session is over, and 24 hours
/// after its stamp at the latest.
[[nodiscard]] KTRDR_EXPORT std::optional<BarFault> fault_of_own(const Bars& bars, const BarGrid& grid, UtcTime now);

/// The same, on the threads of `helpers` too where there are any. Cancellation: `cancelled`, every few thousand bars.
[[nodiscard]] Result<std::optional<BarFault>> fault_of_own(const Bars& bars, const BarGrid& grid, UtcTime now,
                                                           const CancellationToken& token, Executor* helpers);

/// What own bars say of time: from the first to the end of the last, but for gaps of more than a week (of more than two
/// bars, where those are longer). Nights, weekends and holidays are shorter, and without a calendar nothing else tells
/// them from bars that are missing. Once the token is cancelled it is any part of that.
[[nodiscard]] KTRDR_EXPORT std::vector<TimeRange> covered_by(const Bars& bars, const Timeframe& timeframe,
                                                             const CancellationToken& token = {});

/// Somebody's bars, found sound (see `fault_of_own`), and the columns beside them that no bar has.
struct OwnBars {
    BarsPtr bars{};
    std::vector<std::string> ignored{};
    /// How the file that they are from writes numbers; an export writes them so again.
    std::optional<CsvStyle> style{};
};

/// A plain file that is open for reading.
class KTRDR_EXPORT CsvFile final {
public:
    /// Errors: `not_found`, `invalid_argument` for what is no plain file, `storage` for what may not be read.
    [[nodiscard]] static Result<std::shared_ptr<CsvFile>> open(std::filesystem::path path);
    CsvFile(const CsvFile&) = delete;
    CsvFile& operator=(const CsvFile&) = delete;
    ~CsvFile();

    /// Bytes.
    [[nodiscard]] std::int64_t size() const noexcept { return size_; }
    /// All of it; a long one in parts, on the threads of `helpers` too, where there are any. `on_bytes` is told, on
    /// this thread, how many are read; the token is looked at as often. Errors: those of `CsvReader` and
    /// `fault_of_own`, naming file, line and column; `storage`; `cancelled`.
    [[nodiscard]] Result<OwnBars> read(const BarGrid& grid, UtcTime now, const CancellationToken& token,
                                       const std::function<void(std::int64_t)>& on_bytes,
                                       Executor* helpers = nullptr) const;

private:
    /// Have a reader read bytes `[begin, end)`. An error of the system, of the reader, or of `on_piece`, which is told
    /// of each piece.
    [[nodiscard]] Result<void> feed(CsvReader& reader, std::int64_t begin, std::int64_t end,
                                    const std::function<Result<void>(std::int64_t)>& on_piece) const;
    /// True where `reader` has all of the file; else it is to be read anew in one go, which alone finds the line of an
    /// error.
    [[nodiscard]] Result<bool> read_in_parts(CsvReader& reader, const CancellationToken& token,
                                             const std::function<void(std::int64_t)>& on_bytes,
                                             Executor& helpers) const;
    /// Where parts begin and end: at ends of lines.
    [[nodiscard]] std::vector<std::int64_t> cuts() const;

    CsvFile(std::filesystem::path path, int descriptor, std::int64_t size)
        : path_(std::move(path)), descriptor_(descriptor), size_(size) {}

    const std::filesystem::path path_;
    const int descriptor_;
    const std::int64_t size_;
};

/// What storing works with; executors and clock must outlive it.
struct StoreMeans {
    Executor& compute;
    Executor& store_executor;
    const Clock& clock;
    std::shared_ptr<BarStore> store;
    std::shared_ptr<Operation> operation;
    /// What stored bars leave to be done is done by it; null: it is left to the next commit.
    std::shared_ptr<SettlingBehind> settling{};
};

/// Store bars that were found sound, with a warning that names `ignored`. The value: symbol, timeframe, bars, added,
/// replaced, first, last. Cancellation: after each chunk, of a year for intraday bars; then nothing is stored.
[[nodiscard]] boost::asio::awaitable<Result<boost::json::object>> store_own_bars(StoreMeans means, SeriesKey key,
                                                                                 OwnBars given);
/// Read the file, then the same. Cancellation: between pieces of a megabyte too.
[[nodiscard]] boost::asio::awaitable<Result<boost::json::object>> import_csv_file(StoreMeans means, FoundSeries series,
                                                                                  std::shared_ptr<CsvFile> file);

}  // namespace ktrdr
