// What a data manager does with bars that somebody brings.

#include <fmt/format.h>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/data/data_manager.hpp>

namespace ktrdr {
namespace {

constexpr const char* read_step = "read file";
constexpr const char* store_step = "store bars";

/// `Storing AAPL 1d [500/1000]`, of bars or, while a file is read, `Reading AAPL 1d: 40 %`.
class StoreProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override {
        const bool reads = state.step_name == read_step;
        const std::string what =
            fmt::format("{} {} {}", reads ? "Reading" : "Storing", text_or_empty(state.context, "symbol"),
                        text_or_empty(state.context, "timeframe"));
        if (state.percentage >= 100) {
            return what + ": done";
        }
        if (state.step_total <= 0) {
            return what;
        }
        return reads ? fmt::format("{}: {} %", what, 100 * state.step_current / state.step_total)
                     : fmt::format("{} [{}/{}]", what, state.step_current, state.step_total);
    }
};

/// `Importing bars/ [3/35]: MSFT_1d.csv`, of files.
class FolderProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override {
        const std::string what = fmt::format("Importing {}", text_or_empty(state.context, "folder"));
        if (state.percentage >= 100) {
            return what + ": done";
        }
        return state.step_total > 0 ? fmt::format("{} [{}/{}]: {}", what, state.step_current, state.step_total,
                                                  text_or_empty(state.context, "file"))
                                    : what;
    }
};

}  // namespace

DataManager::StoreJob DataManager::job_of_series(const SeriesKey& key, std::string parent_id,
                                                 std::vector<ProgressStep> steps) {
    StoreJob job;
    job.parent_id = std::move(parent_id);
    job.facts = {{"symbol", key.symbol}, {"timeframe", key.timeframe.name()}};
    job.renderer = std::make_shared<StoreProgressRenderer>();
    job.steps = std::move(steps);
    return job;
}

Result<std::shared_ptr<Operation>> DataManager::store_bars(const StoreRequest& request, const BarsView& given,
                                                           CancellationToken token) {
    const auto found = find({request.symbol, request.timeframe, request.series}, SeriesUse::load);
    if (!found) {
        return found.error();
    }
    const SeriesKey& key = found->key;
    if (given.empty()) {
        return fail(Errc::invalid_argument,
                    fmt::format("store {} {}: there is no bar to store", key.symbol, key.timeframe.name()),
                    {{"field", "frame"}});
    }
    BarsPtr bars = given.own();
    if (const auto checked = bars->check_lengths(); !checked) {
        return checked.error();
    }
    if (const auto fault = fault_of_own(*bars, found->grid, services_.clock.utc_now())) {
        return to_error(*fault, *bars,
                        fmt::format("store {} {}: row {}", key.symbol, key.timeframe.name(), fault->row));
    }
    StoreJob job = job_of_series(key, request.parent_id, {ProgressStep{.name = store_step}});
    job.work = [key, given = OwnBars{std::move(bars), request.ignored, {}}](StoreMeans means) {
        return store_own_bars(std::move(means), key, given);
    };
    return start_storing(std::move(job), std::move(token));
}

Result<std::shared_ptr<Operation>> DataManager::import_csv(const ImportRequest& request, CancellationToken token) {
    const auto series = series_of(request);
    if (!series) {
        return series.error();
    }
    const auto found = find(*series, SeriesUse::load);
    if (!found) {
        return found.error();
    }
    const SeriesKey& key = found->key;
    auto file = CsvFile::open(request.file);
    if (!file) {
        return file.error();
    }
    StoreJob job =
        job_of_series(key, request.parent_id, {ProgressStep{.name = read_step}, ProgressStep{.name = store_step}});
    job.work = [series = *found, file = std::move(*file)](StoreMeans means) {
        return import_csv_file(std::move(means), series, file);
    };
    return start_storing(std::move(job), std::move(token));
}

Result<std::shared_ptr<Operation>> DataManager::import_folder(const ImportFolderRequest& request,
                                                              CancellationToken token) {
    if (request.timeframe) {
        if (const auto known = Timeframe::parse(*request.timeframe); !known) {
            return known.error();
        }
    }
    auto files = csv_files_of(request.folder);
    if (!files) {
        return files.error();
    }
    StoreJob job;
    job.parent_id = request.parent_id;
    job.facts = {{"folder", shown_utf8(request.folder.native())}, {"files", files->size()}};
    job.renderer = std::make_shared<FolderProgressRenderer>();
    job.steps = {ProgressStep{.name = "import files"}};
    job.work = [request, files = std::move(*files), provider = provider_, calendars = calendars_](StoreMeans means) {
        return import_csv_files(std::move(means), request, files, provider, calendars);
    };
    return start_storing(std::move(job), std::move(token));
}

Result<std::shared_ptr<Operation>> DataManager::start_storing(StoreJob job, CancellationToken token) {
    auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    OperationSpec spec;
    spec.type = "data_store";
    spec.parent_id = std::move(job.parent_id);
    spec.parameters = job.facts;
    // Nobody can do it again by its record: the bars are not in it.
    spec.store = services_.registry.memory();
    ExecuteOptions options;
    options.cancellation_token = std::move(token);
    options.renderer = std::move(job.renderer);
    options.steps = std::move(job.steps);
    options.context = std::move(job.facts);
    options.context["operation"] = spec.type;
    OperationWork run = [services = services_, store = std::move(*open_store), settling = settling_,
                         work = std::move(job.work)](std::shared_ptr<Operation> operation, OperationDone done) {
        StoreMeans means{services.compute, services.store, services.clock, store, std::move(operation), settling};
        spawn_work(services.io, work(std::move(means)), std::move(done), "storing bars");
    };
    return run_operation(services_.registry, services_.io_executor, std::move(spec), std::move(run),
                         std::move(options));
}

Result<std::vector<StoredSeries>> DataManager::series() const {
    const auto open_store = store();
    return open_store ? (*open_store)->list() : Result<std::vector<StoredSeries>>(open_store.error());
}

}  // namespace ktrdr
