// The loads of a watch list.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <ktrdr/adapter/spawned.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/coroutines/awaited.hpp>
#include <ktrdr/coroutines/gate.hpp>
#include <ktrdr/data/data_manager.hpp>

namespace ktrdr {
namespace {

namespace asio = boost::asio;

/// `Loading series [3/20]`.
class ManyProgressRenderer final : public ProgressRenderer {
public:
    [[nodiscard]] std::string render_message(const ProgressState& state) const override {
        if (state.percentage >= 100) {
            return "Loading series: done";
        }
        return fmt::format("Loading series [{}/{}]", state.step_current, state.step_total);
    }
};

/// Goes on where it was told to when an operation has ended.
class EndListener final : public OperationListener {
public:
    explicit EndListener(std::function<void()> ended) : ended_(std::move(ended)) {}
    void on_progress(const ProgressState&) override {}
    [[nodiscard]] bool wants_progress() const override { return false; }
    void on_finished() override { ended_(); }

private:
    const std::function<void()> ended_;
};

asio::awaitable<void> end_of(std::shared_ptr<Operation> operation, Executor& io) {
    // Named, not a temporary of the await: GCC 12 may destroy what such a one captured twice.
    const auto listen = [operation, &io](auto done) {
        operation->add_listener(std::make_shared<EndListener>([done, &io] { io.post([done] { done(true); }); }));
    };
    co_await awaited<bool>(listen);
}

/// The watch list in work: a queue that a number of lanes take from. The loads' requests wait in the source's one
/// queue, which serves the loads in turn.
struct WatchList {
    std::shared_ptr<DataManager> manager;
    std::shared_ptr<Operation> operation;
    Executor& io;
    std::vector<LoadRequest> requests;
    /// By request; unset for those that have not ended.
    std::vector<std::optional<LoadedOne>> loaded;
    std::size_t next{0};
    std::size_t done{0};
    std::size_t lanes{0};
    Gate finished{};

    void announce() {
        const auto count = static_cast<std::int64_t>(done);
        operation->progress().outer().store(
            {.current = count, .total = static_cast<std::int64_t>(requests.size()), .items = count});
    }
};

Result<BarsView> bars_of(Operation& load) {
    auto value = load.result();
    if (!value) {
        return value.error();
    }
    const auto* const bars = std::any_cast<BarsView>(&*value);
    return bars != nullptr ? Result<BarsView>(*bars) : fail(Errc::internal, "a load came to something else than bars");
}

asio::awaitable<void> lane(std::shared_ptr<WatchList> list) {
    while (list->next < list->requests.size() && list->operation->token().check("loading")) {
        const std::size_t index = list->next++;
        const LoadRequest request = list->requests[index];
        const Result<std::shared_ptr<Operation>> started = list->manager->load_data(request, {});
        if (started) {
            const std::shared_ptr<Operation> load = *started;
            co_await end_of(load, list->io);
            list->loaded[index] = LoadedOne{request.symbol, request.timeframe, load->id(), bars_of(*load)};
        } else {
            list->loaded[index] = LoadedOne{request.symbol, request.timeframe, {}, started.error()};
        }
        ++list->done;
        list->announce();
    }
    if (--list->lanes == 0) {
        list->finished.open();
    }
}

Result<LoadedMany> outcome_of(WatchList& list) {
    if (const auto alive = list.operation->token().check("loading a watch list"); !alive) {
        return alive.error();
    }
    LoadedMany all;
    std::vector<std::string> failed;
    for (std::size_t i = 0; i < list.loaded.size(); ++i) {
        auto& one = list.loaded[i];
        if (!one) {
            one = LoadedOne{list.requests[i].symbol,
                            list.requests[i].timeframe,
                            {},
                            fail(Errc::out_of_resources, "the load could not be carried out")};
        }
        if (!one->bars) {
            failed.push_back(fmt::format("{} {}", one->symbol, one->timeframe));
        }
        all.push_back(std::move(*one));
    }
    if (failed.size() == all.size()) {
        Error error = all.front().bars.error();
        error.message = fmt::format("not one of {} series could be loaded; the first, {}: {}", all.size(),
                                    failed.front(), error.message);
        return error;
    }
    if (!failed.empty()) {
        list.operation->add_warning(
            fmt::format("{} of {} series could not be loaded: {}", failed.size(), all.size(), fmt::join(failed, ", ")));
    }
    return all;
}

asio::awaitable<Result<LoadedMany>> load_list(std::shared_ptr<WatchList> list, std::size_t at_once) {
    list->operation->progress().enter(0);
    list->announce();
    list->lanes = std::min(at_once, list->requests.size());
    const auto executor = co_await asio::this_coro::executor;
    for (std::size_t i = list->lanes; i-- > 0;) {
        asio::co_spawn(executor, lane(list), [list](const std::exception_ptr& thrown) {
            // What a load throws ends its operation; only the machine's own limits end a lane.
            if (thrown && --list->lanes == 0) {
                list->finished.open();
            }
        });
    }
    co_await list->finished.wait();
    co_return outcome_of(*list);
}

}  // namespace

Result<std::shared_ptr<Operation>> DataManager::load_many(LoadManyRequest request, CancellationToken token) {
    for (const auto& [field, names] :
         {std::pair{"symbols", &request.symbols}, std::pair{"timeframes", &request.timeframes}}) {
        if (names->empty()) {
            return fail(Errc::invalid_argument, fmt::format("{}: at least one is needed", field), {{"field", field}});
        }
    }
    if (request.at_once && *request.at_once == 0) {
        return fail(Errc::invalid_argument, "at_once must be at least 1, not 0", {{"field", "at_once"}});
    }
    std::vector<LoadRequest> requests;
    for (const std::string& symbol : request.symbols) {
        for (const std::string& timeframe : request.timeframes) {
            LoadRequest one{.symbol = symbol,
                            .timeframe = timeframe,
                            .start_date = request.start_date,
                            .end_date = request.end_date,
                            .mode = request.mode,
                            .series = request.series,
                            .checks = request.checks,
                            .priority = request.priority};
            const auto task = check_request(one, provider_, services_.clock.utc_now());
            if (!task) {
                return task.error();
            }
            if (task->mode != LoadMode::local && !source_) {
                return no_source();
            }
            one.symbol = task->key.symbol;
            const bool named_before = std::ranges::any_of(requests, [&one](const LoadRequest& other) {
                return other.symbol == one.symbol && other.timeframe == one.timeframe;
            });
            if (!named_before) {
                requests.push_back(std::move(one));
            }
        }
    }
    OperationSpec spec;
    spec.type = "data_load_many";
    spec.parent_id = request.parent_id;
    spec.parameters = {{"symbols", boost::json::array(request.symbols.begin(), request.symbols.end())},
                       {"timeframes", boost::json::array(request.timeframes.begin(), request.timeframes.end())},
                       {"mode", request.mode}};
    spec.name = fmt::format("{} series ({})", requests.size(), request.mode);
    spec.store = request.mode == to_string(LoadMode::local) ? services_.registry.memory() : operations();
    ExecuteOptions options;
    options.cancellation_token = std::move(token);
    options.renderer = std::make_shared<ManyProgressRenderer>();
    options.steps = {ProgressStep{.name = "load series"}};
    options.context = {{"operation", spec.type}};
    const std::size_t lanes = request.at_once.value_or(requests.size());
    OperationWork run = [self = shared_from_this(), io = &services_.io, executor = &services_.io_executor,
                         requests = std::move(requests),
                         at_once = lanes](std::shared_ptr<Operation> operation, OperationDone done) {
        const auto list = std::make_shared<WatchList>(self, operation, *executor, requests,
                                                      std::vector<std::optional<LoadedOne>>(requests.size()));
        for (LoadRequest& one : list->requests) {
            one.parent_id = operation->id();
        }
        spawn_work(*io, load_list(list, at_once), std::move(done), "loading a watch list");
    };
    return run_operation(services_.registry, services_.io_executor, std::move(spec), std::move(run),
                         std::move(options));
}

}  // namespace ktrdr
