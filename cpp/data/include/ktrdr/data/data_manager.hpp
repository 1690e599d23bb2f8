#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/adapter/host_service.hpp>
#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/calendar/bar_grid.hpp>
#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/data/data_job_manager.hpp>
#include <ktrdr/data/export_bars.hpp>
#include <ktrdr/data/import_folder.hpp>
#include <ktrdr/data/load_many.hpp>
#include <ktrdr/data/load_request.hpp>
#include <ktrdr/data/own_bars.hpp>
#include <ktrdr/data/resample_bars.hpp>
#include <ktrdr/data/series_check.hpp>
#include <ktrdr/data/series_summary.hpp>
#include <ktrdr/market/bars_view.hpp>
#include <ktrdr/orchestrator/service_orchestrator.hpp>
#include <ktrdr/storage/storage.hpp>

namespace ktrdr {

struct SourceTraffic;

/// What the data domain stands on; everything in it must outlive every manager.
struct DataServices {
    boost::asio::io_context& io;
    Executor& io_executor;
    TimerQueue& timers;
    const Clock& clock;
    /// Decoding, and reading what is stored.
    Executor& compute;
    /// Writing to SQLite; one thread.
    Executor& store;
    OperationRegistry& registry;
};

/// Interrupted loads that were taken up again.
struct ResumedLoads {
    std::vector<std::shared_ptr<Operation>> operations{};
    /// Those that were refused, by id; they stay interrupted.
    std::vector<std::pair<std::string, Error>> refused{};
};

/// Market data of one file: what is stored, and loads of what is not.
///
/// Thread safety: every member from any thread.
/// Lifetime: shared; a load in work keeps what it needs, so the manager may go before it.
class KTRDR_EXPORT DataManager final : public ServiceOrchestrator,
                                       public std::enable_shared_from_this<DataManager>,
                                       private Counted<DataManager> {
public:
    /// `storage` was opened with `BarStore::schema()`. Without a `source` only what is stored can be loaded.
    /// `calendars` are the user's own; null for none.
    DataManager(DataServices services, std::shared_ptr<Storage> storage, std::shared_ptr<BarSource> source, Env env,
                CalendarRulesPtr calendars = nullptr);

    /// The host service that loads ask where nobody hands in another source.
    [[nodiscard]] static HostService host_service();
    /// Why a load cannot ask anybody; it names every way to a source.
    [[nodiscard]] static Error no_source();
    [[nodiscard]] std::string service_name() const override { return host_service().names.service; }
    [[nodiscard]] std::string default_host_url() const override { return host_service().names.default_host_url; }
    [[nodiscard]] std::string env_var_prefix() const override { return host_service().names.env_var_prefix; }

    /// Start a load; the operation's value is a `BarsView`. It is recorded in the file, but for a read of what is
    /// stored (mode local) under no id of the caller's, which leaves its record in memory.
    ///
    /// Errors (at once, before any work): `invalid_argument` for a request that cannot be, `configuration` when the
    /// mode needs a source and there is none, `conflict` for an id of another request, `client_closed` after `close`.
    [[nodiscard]] Result<std::shared_ptr<Operation>> load_data(LoadRequest request, CancellationToken token);
    /// The same in two steps: check a load and keep it until `jobs()` start it; its id. It is kept in memory, so a
    /// process that ends takes it along. Errors: those of `load_data`.
    [[nodiscard]] Result<std::string> create_load(LoadRequest request, CancellationToken token);
    /// Take up again the loads of this file that the end of their process has interrupted, those of the highest
    /// priority first, then the oldest: each goes on under its id and asks for what is still missing. One that another
    /// process takes up meanwhile is refused here; blocks on the disk. Errors (nothing is started then):
    /// `configuration` without a source, `client_closed` after `close`, `storage`.
    [[nodiscard]] Result<ResumedLoads> resume_loads();
    /// The stored bars of a series inside `range`; blocks on the disk. `no_data` when there is none.
    [[nodiscard]] Result<BarsPtr> read(const SeriesRequest& request, TimeRange range) const;
    /// How many bars `read` answers at most, and a version that is another one whenever they are, their contract or
    /// their calendar; blocks on the disk for a moment.
    [[nodiscard]] Result<SeriesStamp> stamp(const SeriesRequest& request, TimeRange range) const;

    /// Start storing bars that somebody brings, under the series that loads of this manager read. The operation's value
    /// is a JSON object: symbol, timeframe, bars, added, replaced, first, last. Its record stays in memory.
    ///
    /// Errors (at once, before anything is stored): `invalid_argument` for a symbol, a timeframe or bars that cannot be
    /// (see `fault_of_own`), `client_closed` after `close`.
    [[nodiscard]] Result<std::shared_ptr<Operation>> store_bars(const StoreRequest& request, const BarsView& given,
                                                                CancellationToken token);
    /// The same for a CSV file. Errors at once: of the request, and of a file that cannot be opened; what is wrong
    /// inside the file is the operation's.
    [[nodiscard]] Result<std::shared_ptr<Operation>> import_csv(const ImportRequest& request, CancellationToken token);
    /// A stored series and its ledger, for a check; blocks on the disk. The bars' length is the grid's.
    /// Errors: `invalid_argument` for a symbol or dates that cannot be, `no_data` when nothing is stored.
    [[nodiscard]] Result<SeriesToCheck> series_to_check(const CheckRequest& request, const BarGrid& grid,
                                                        const CancellationToken& token = {}) const;
    /// Put rows in the place of others of the same stamps, all or none, and leave the ledger as it is; blocks on the
    /// disk, and on what is written before. `conflict` where what is stored is not `before`, to the byte.
    [[nodiscard]] Result<void> exchange_rows(const SeriesRequest& request, const Bars& before, const Bars& after) const;
    /// The periods of a series' bars, by what is known of its contract and the user's own calendars; blocks on the
    /// disk.
    [[nodiscard]] Result<BarGrid> grid_of(const SeriesRequest& request) const;
    /// Which series a request reads; blocks on the disk.
    [[nodiscard]] Result<SeriesKey> key_of(const SeriesRequest& request) const;
    /// A calendar that the user has made or changed; null for none of that name.
    [[nodiscard]] SessionCalendarPtr calendar(std::string_view name) const;
    /// What is stored in the file, of every provider; blocks on the disk.
    [[nodiscard]] Result<std::vector<StoredSeries>> series() const;

    /// The changes of a series that can be undone, the newest first (see `BarStore::changes`); each of these blocks on
    /// the disk. Errors of all: `invalid_argument`, `client_closed` after `close`, `storage`.
    [[nodiscard]] Result<std::vector<SeriesChange>> changes(const SeriesRequest& request) const;
    /// Where the provider has re-based the history of a series, by place.
    [[nodiscard]] Result<std::vector<BasisBreak>> breaks(const SeriesRequest& request) const;
    /// `not_found` when there is nothing to undo.
    Result<SeriesChange> undo(const SeriesRequest& request);
    /// Drop bars and ledger of the range that the request names, its mode does not matter; how many bars.
    Result<std::size_t> forget(const LoadRequest& request);
    /// Start a look at all that is stored (see `BarStore::verify`); the operation's value is a JSON object of the
    /// members of `BarCheck`. Its record stays in memory. Errors of both at once: `client_closed` after `close`.
    [[nodiscard]] Result<std::shared_ptr<Operation>> verify(std::string parent_id, CancellationToken token);
    /// Start freeing what could be undone (see `BarStore::compact`); the operation's value is one of those of
    /// `Compacted`.
    [[nodiscard]] Result<std::shared_ptr<Operation>> compact(std::string parent_id, CancellationToken token);
    /// The same for the CSV files of a folder, under one operation; its value is that of `import_csv_files`. Errors at
    /// once: those of `csv_files_of`, `invalid_argument` for a timeframe that is not known.
    [[nodiscard]] Result<std::shared_ptr<Operation>> import_folder(const ImportFolderRequest& request,
                                                                   CancellationToken token);

    /// The newest `limit` stored bars of a range, all of them where it is unset; blocks on the disk.
    /// Errors: `invalid_argument` of the request (its mode does not matter) and for a limit of 0, `no_data`.
    [[nodiscard]] Result<BarsView> get_data(const LoadRequest& request, std::optional<std::size_t> limit,
                                            const CancellationToken& token = {});
    /// What is known of a stored series; blocks on the disk. `invalid_argument`, `no_data`.
    [[nodiscard]] Result<SeriesSummary> get_summary(const SeriesRequest& request);
    /// Forget a series whole: its bars, and what was asked for. What it held. `key` must be exactly that of a stored
    /// one, else `not_found`; blocks on the disk.
    [[nodiscard]] Result<StoredSeries> delete_series(const SeriesKey& key);
    /// The key of the stored series of `provider` that has exactly these parts, those left out whatever they are.
    /// `not_found` where there is none, `invalid_argument` listing the candidates where there are several.
    [[nodiscard]] Result<SeriesKey> stored_key(const std::string& provider, const SeriesRequest& request) const;
    /// Start making longer bars of stored ones; the operation's value is a `BarsView` of them (see `resample_stored`).
    /// Its record stays in memory. Errors at once: `invalid_argument`, `client_closed`.
    [[nodiscard]] Result<std::shared_ptr<Operation>> resample(const ResampleRequest& request, CancellationToken token);
    /// Start the loads of a watch list; the operation's value is `LoadedMany`. Errors at once: those of each load.
    [[nodiscard]] Result<std::shared_ptr<Operation>> load_many(LoadManyRequest request, CancellationToken token);

    static constexpr const char* export_type = "data_export";
    /// Start writing stored bars into a CSV file; the operation's value is what `ktrdr::export_csv` says. Its record
    /// stays in memory. Errors at once: those of `check_export`, `client_closed` after `close`.
    [[nodiscard]] Result<std::shared_ptr<Operation>> export_csv(const ExportRequest& request, CancellationToken token);
    /// For who writes the file by itself: where it is to be (see `check_export`), and a file there.
    [[nodiscard]] Result<NewFilePlace> place_of_export(const ExportRequest& request, std::string_view extension) const;
    [[nodiscard]] Result<std::unique_ptr<NewFile>> new_file(NewFilePlace place) const;

    [[nodiscard]] DataJobManager& jobs() noexcept { return jobs_; }
    [[nodiscard]] const std::filesystem::path& database_path() const noexcept { return database_path_; }
    /// Where its operations are kept; null after `close`.
    [[nodiscard]] std::shared_ptr<OperationStore> operations() const;
    /// The host service that its loads ask; null where they ask none.
    [[nodiscard]] std::shared_ptr<AsyncServiceAdapter> service() const {
        return source_ ? source_->service() : nullptr;
    }
    [[nodiscard]] PoolStats pool_stats() const;
    /// Start nothing more and let go of connections and file; loads in work end by themselves. Blocks where bars that
    /// were stored are just being put into the file.
    void close();

private:
    /// What storing bars that somebody brings is started with.
    struct StoreJob {
        std::string parent_id{};
        /// Parameters of the record, and what every progress state carries.
        boost::json::object facts{};
        std::shared_ptr<const ProgressRenderer> renderer{};
        std::vector<ProgressStep> steps{};
        std::function<boost::asio::awaitable<Result<boost::json::object>>(StoreMeans)> work{};
    };

    /// Work over all of the file.
    [[nodiscard]] Result<std::shared_ptr<Operation>> start_keeping(
        const char* type, std::string parent_id, CancellationToken token,
        std::function<boost::asio::awaitable<Result<boost::json::object>>(StoreMeans)> work);
    [[nodiscard]] Result<std::shared_ptr<BarStore>> store() const;
    /// Which series is meant, by what the file knows.
    [[nodiscard]] Result<FoundSeries> find(const SeriesRequest& request, SeriesUse use) const;
    [[nodiscard]] static StoreJob job_of_series(const SeriesKey& key, std::string parent_id,
                                                std::vector<ProgressStep> steps);
    [[nodiscard]] Result<std::shared_ptr<Operation>> start_storing(StoreJob job, CancellationToken token);
    [[nodiscard]] Result<DataJob> check_load(LoadRequest request, CancellationToken token) const;
    [[nodiscard]] DataJob job_of(const LoadRequest& request, LoadTask task, std::shared_ptr<BarStore> store,
                                 CancellationToken token) const;

    const DataServices services_;
    const std::filesystem::path database_path_;
    const std::shared_ptr<BarSource> source_;
    /// Under which its bars are stored.
    const std::string provider_;
    const CalendarRulesPtr calendars_;
    /// Of all its loads: one queue.
    const std::shared_ptr<SourceTraffic> traffic_;
    const std::shared_ptr<SettlingBehind> settling_ = std::make_shared<SettlingBehind>();
    mutable std::mutex mutex_;
    std::shared_ptr<Storage> storage_;
    std::shared_ptr<BarStore> store_;
    DataJobManager jobs_;
};

}  // namespace ktrdr
