// What a data manager does to keep stored bars whole.

#include <fmt/format.h>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/coroutines/run_on.hpp>
#include <ktrdr/data/data_manager.hpp>

namespace ktrdr {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr const char* verify_type = "data_verify";
constexpr const char* compact_type = "data_compact";

/// `Verifying ktrdr.db [12/40]`, in blocks of bars, or `Compacting ktrdr.db`.
class KeepingProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override {
        const bool reads = text_or_empty(state.context, "operation") == verify_type;
        const std::string what =
            fmt::format("{} {}", reads ? "Verifying" : "Compacting", text_or_empty(state.context, "file"));
        if (state.percentage >= 100) {
            return what + ": done";
        }
        return state.step_total > 0 ? fmt::format("{} [{}/{}]", what, state.step_current, state.step_total) : what;
    }
};

/// What is asked while SQLite works.
Database::Poll wanted(const StoreMeans& means, const char* doing) {
    return [token = means.operation->token(), doing] { return token.check(doing); };
}

json::object fields_of(const BarCheck& check) {
    json::array damage;
    for (const BarDamage& one : check.damage) {
        const bool known = one.series.has_value();
        damage.push_back({{"provider", known ? shown_utf8(one.series->provider) : ""},
                          {"symbol", known ? shown_utf8(one.series->symbol) : ""},
                          {"timeframe", known ? std::string(one.series->timeframe.name()) : ""},
                          {"what_to_show", known ? shown_utf8(one.series->what_to_show) : ""},
                          {"session", known ? shown_utf8(one.series->session) : ""},
                          {"chunk", one.chunk},
                          {"what", shown_utf8(one.what)}});
    }
    return {{"series", check.series},     {"chunks", check.chunks},
            {"bars", check.bars},         {"ledger_entries", check.ledger_entries},
            {"versions", check.versions}, {"damage", std::move(damage)}};
}

asio::awaitable<Result<json::object>> verify_bars(StoreMeans means) {
    means.operation->progress().enter(0);
    std::function<Result<json::object>()> read = [means]() -> Result<json::object> {
        const auto tell = [&means](std::size_t done, std::size_t all) {
            const auto count = static_cast<std::int64_t>(done);
            means.operation->progress().outer().store(
                {.current = count, .total = static_cast<std::int64_t>(all), .items = count});
        };
        const auto ended_by_token = [&means](std::function<void()> interrupt) -> std::shared_ptr<void> {
            return std::make_shared<CancelRegistration>(means.operation->token().on_cancel(
                [interrupt = std::move(interrupt)](const CancelReason&) { interrupt(); }));
        };
        const auto check = means.store->verify(wanted(means, "verifying the bars"), tell, ended_by_token);
        return check ? Result<json::object>(fields_of(*check)) : Result<json::object>(check.error());
    };
    co_return co_await run_on(means.compute, std::move(read));
}

asio::awaitable<Result<json::object>> compact_bars(StoreMeans means) {
    means.operation->progress().enter(0);
    std::function<Result<json::object>()> write = [means]() -> Result<json::object> {
        const auto compacted = means.store->compact(wanted(means, "compacting the database"));
        if (!compacted) {
            return compacted.error();
        }
        return json::object{{"bytes_before", compacted->bytes_before},
                            {"bytes_after", compacted->bytes_after},
                            {"changes_freed", compacted->changes_freed}};
    };
    co_return co_await run_on(means.store_executor, std::move(write));
}

/// What `act` makes of a store and of the series that was found in it.
template <class Act>
auto with_series(const Result<std::shared_ptr<BarStore>>& store, const Result<FoundSeries>& series, Act act)
    -> decltype(act(**store, std::declval<const FoundSeries&>())) {
    if (!series) {
        return series.error();
    }
    if (!store) {
        return store.error();
    }
    return act(**store, *series);
}

}  // namespace

Result<std::vector<SeriesChange>> DataManager::changes(const SeriesRequest& request) const {
    return with_series(store(), find(request, SeriesUse::read),
                       [](BarStore& stored, const FoundSeries& series) { return stored.changes(series.key); });
}

Result<std::vector<BasisBreak>> DataManager::breaks(const SeriesRequest& request) const {
    return with_series(store(), find(request, SeriesUse::read), [](BarStore& stored, const FoundSeries& series) {
        auto facts = stored.facts(series.key);
        return facts ? Result<std::vector<BasisBreak>>(std::move(facts->breaks))
                     : Result<std::vector<BasisBreak>>(facts.error());
    });
}

Result<SeriesChange> DataManager::undo(const SeriesRequest& request) {
    return with_series(store(), find(request, SeriesUse::read),
                       [](BarStore& stored, const FoundSeries& series) { return stored.undo(series.key); });
}

Result<std::size_t> DataManager::forget(const LoadRequest& request) {
    LoadRequest local = request;
    local.mode = to_string(LoadMode::local);
    const UtcTime now = services_.clock.utc_now();
    return with_series(
        store(), find(series_of(request), SeriesUse::read), [&](BarStore& stored, const FoundSeries& series) {
            const auto task = check_request(local, series, now);
            return task ? stored.forget(series.key, task->range, now) : Result<std::size_t>(task.error());
        });
}

Result<std::shared_ptr<Operation>> DataManager::start_keeping(
    const char* type, std::string parent_id, CancellationToken token,
    std::function<asio::awaitable<Result<json::object>>(StoreMeans)> work) {
    auto open_store = store();
    if (!open_store) {
        return open_store.error();
    }
    OperationSpec spec;
    spec.type = type;
    spec.parent_id = std::move(parent_id);
    spec.parameters = {{"file", database_path_.filename().string()}};
    // Nothing of it is worth more than its answer.
    spec.store = services_.registry.memory();
    ExecuteOptions options;
    options.cancellation_token = std::move(token);
    options.renderer = std::make_shared<KeepingProgressRenderer>();
    options.steps = {ProgressStep{.name = type == verify_type ? "read bars" : "write file"}};
    options.context = spec.parameters;
    options.context["operation"] = spec.type;
    OperationWork run = [services = services_, store = std::move(*open_store), work = std::move(work)](
                            std::shared_ptr<Operation> operation, OperationDone done) {
        StoreMeans means{services.compute, services.store, services.clock, store, std::move(operation)};
        spawn_work(services.io, work(std::move(means)), std::move(done), "looking after the file");
    };
    return run_operation(services_.registry, services_.io_executor, std::move(spec), std::move(run),
                         std::move(options));
}

Result<std::shared_ptr<Operation>> DataManager::verify(std::string parent_id, CancellationToken token) {
    return start_keeping(verify_type, std::move(parent_id), std::move(token), verify_bars);
}

Result<std::shared_ptr<Operation>> DataManager::compact(std::string parent_id, CancellationToken token) {
    return start_keeping(compact_type, std::move(parent_id), std::move(token), compact_bars);
}

}  // namespace ktrdr
