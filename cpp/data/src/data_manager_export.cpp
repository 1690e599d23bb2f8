// What a data manager writes into files.

#include <fmt/format.h>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/data/data_manager.hpp>

namespace ktrdr {
namespace {

/// `Exporting AAPL 1d [500/1000]`.
class ExportProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override {
        const std::string what = fmt::format("Exporting {} {}", text_or_empty(state.context, "symbol"),
                                             text_or_empty(state.context, "timeframe"));
        if (state.percentage >= 100) {
            return what + ": done";
        }
        return state.step_total > 0 ? fmt::format("{} [{}/{}]", what, state.step_current, state.step_total) : what;
    }
};

}  // namespace

Result<NewFilePlace> DataManager::place_of_export(const ExportRequest& request, std::string_view extension) const {
    const auto series = find(series_of(request), SeriesUse::read);
    if (!series) {
        return series.error();
    }
    auto task = check_export(request, extension, *series, services_.clock.utc_now());
    return task ? Result<NewFilePlace>(std::move(task->place)) : Result<NewFilePlace>(task.error());
}

Result<std::unique_ptr<NewFile>> DataManager::new_file(NewFilePlace place) const {
    const auto access = file_access(env());
    return access ? NewFile::open(std::move(place), services_.clock, *access)
                  : Result<std::unique_ptr<NewFile>>(access.error());
}

Result<std::shared_ptr<Operation>> DataManager::export_csv(const ExportRequest& request, CancellationToken token) {
    const auto series = find(series_of(request), SeriesUse::read);
    if (!series) {
        return series.error();
    }
    auto task = check_export(request, ".csv", *series, services_.clock.utc_now());
    if (!task) {
        return task.error();
    }
    const auto access = file_access(env());
    if (!access) {
        return access.error();
    }
    auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    OperationSpec spec;
    spec.type = export_type;
    spec.parent_id = request.parent_id;
    spec.parameters = {
        {"symbol", task->key.symbol}, {"timeframe", task->key.timeframe.name()}, {"path", task->place.path.string()}};
    // Looking at what is stored leaves no record.
    spec.store = services_.registry.memory();
    ExecuteOptions options;
    options.cancellation_token = std::move(token);
    options.renderer = std::make_shared<ExportProgressRenderer>();
    options.steps = {ProgressStep{.name = "read bars"}, ProgressStep{.name = "write file"}};
    options.context = spec.parameters;
    options.context["operation"] = spec.type;
    OperationWork run = [services = services_, store = std::move(*open_store), task = std::move(*task),
                         access = *access](std::shared_ptr<Operation> operation, OperationDone done) {
        ExportMeans means{services.compute, services.clock, store, std::move(operation), access};
        spawn_work(services.io, ktrdr::export_csv(std::move(means), task), std::move(done), "exporting bars");
    };
    return run_operation(services_.registry, services_.io_executor, std::move(spec), std::move(run),
                         std::move(options));
}

}  // namespace ktrdr
