#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include <ktrdr/bar_store/bar_store.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/data/data_job_manager.hpp>
#include <ktrdr/data/load_request.hpp>
#include <ktrdr/http/client.hpp>
#include <ktrdr/orchestrator/service_orchestrator.hpp>
#include <ktrdr/storage/storage.hpp>

namespace ktrdr {

/// What the data domain stands on; everything in it must outlive every manager.
struct DataServices {
    boost::asio::io_context& io;
    Executor& io_executor;
    TimerQueue& timers;
    const Clock& clock;
    /// Decoding.
    Executor& compute;
    /// SQLite; one thread.
    Executor& store;
    OperationRegistry& registry;
};

struct DataManagerOptions {
    /// Holds `ktrdr.db`; made when it is not there.
    std::filesystem::path data_dir{};
    /// The IB host service's URL; unset: the environment decides.
    std::optional<std::string> ib_url{};
    std::optional<bool> use_ib_host_service{};
    /// Most connections to the service; unset: `IB_HOST_SERVICE_POOL_LIMIT`, else 10.
    std::optional<std::size_t> connection_pool_limit{};
    DatabaseOptions database{};
};

/// Market data of one directory: what is stored, and loads of what is not.
///
/// Environment: `USE_IB_HOST_SERVICE`, `IB_HOST_SERVICE_{URL,TIMEOUT,MAX_RETRIES,POOL_LIMIT,KEEPALIVE}`; arguments come
/// first.
/// Thread safety: every member from any thread.
/// Lifetime: shared; a load in work keeps what it needs.
class KTRDR_EXPORT DataManager final : public ServiceOrchestrator,
                                       public std::enable_shared_from_this<DataManager>,
                                       private Counted<DataManager> {
public:
    /// Open `<data_dir>/ktrdr.db`. Errors: those of `Database::open`, and `configuration` for a setting or URL that
    /// cannot be used.
    [[nodiscard]] static Result<std::shared_ptr<DataManager>> create(DataServices services, DataManagerOptions options,
                                                                     Env env);
    ~DataManager() override;

    [[nodiscard]] std::string service_name() const override { return "Data"; }
    [[nodiscard]] std::string default_host_url() const override { return "http://localhost:5001"; }
    [[nodiscard]] std::string env_var_prefix() const override { return "IB"; }

    /// Start a load; the operation's value is a `BarsPtr`.
    ///
    /// Errors (at once, before any work): `invalid_argument` for a request that cannot be, `configuration` when the
    /// mode needs a source and there is none, `conflict` for an id of another request, `client_closed` after `close`.
    [[nodiscard]] Result<std::shared_ptr<Operation>> load_data(LoadRequest request, CancellationToken token);
    /// The stored bars of a series inside `range`; blocks on the disk. `no_data` when there is none.
    [[nodiscard]] Result<BarsPtr> read(const std::string& symbol, const Timeframe& timeframe, TimeRange range);

    [[nodiscard]] DataJobManager& jobs() noexcept { return jobs_; }
    [[nodiscard]] const std::filesystem::path& database_path() const noexcept { return database_path_; }
    /// Where its operations are kept; null after `close`.
    [[nodiscard]] std::shared_ptr<OperationStore> operations() const;
    [[nodiscard]] PoolStats pool_stats() const;
    /// Start nothing more and let go of connections and file; loads in work end by themselves.
    void close();

    /// Private in effect; public for `std::make_shared`.
    struct Parts;
    DataManager(DataServices services, Env env, Parts parts);

private:
    [[nodiscard]] Result<std::shared_ptr<BarStore>> store() const;
    [[nodiscard]] DataJob job_of(const LoadRequest& request, LoadTask task, std::shared_ptr<BarStore> store,
                                 CancellationToken token) const;
    [[nodiscard]] Error no_source() const;

    const DataServices services_;
    const std::filesystem::path database_path_;
    std::shared_ptr<HttpClient> client_;
    std::shared_ptr<BarSource> source_;
    mutable std::mutex mutex_;
    std::shared_ptr<Storage> storage_;
    std::shared_ptr<BarStore> store_;
    DataJobManager jobs_;
};

}  // namespace ktrdr
