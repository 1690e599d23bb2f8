#include <ktrdr/training/host_session_manager.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <utility>

#include <ktrdr/base/json.hpp>
#include <ktrdr/base/text.hpp>
#include <ktrdr/coroutines/pause.hpp>
#include <ktrdr/coroutines/run_on.hpp>

#include "model_archive.hpp"

namespace ktrdr {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

using Steady = std::chrono::steady_clock;

/// Between two looks at a session that was asked to end.
constexpr std::chrono::milliseconds end_pause{100};

int status_of(const Error& error) {
    const json::value* const status = error.context.if_contains("status");
    return error.code == Errc::status && status != nullptr && status->is_int64() ? static_cast<int>(status->get_int64())
                                                                                 : 0;
}

/// No answer, or one that says nothing of the session: the next question may get one. Some hosts say 500 to everything.
bool may_pass(const Error& error) {
    constexpr int first_of_server = 500;
    return is_retryable(error.code) || error.code == Errc::protocol || status_of(error) >= first_of_server ||
           is_passing(status_of(error));
}

/// No attempt has left this machine, so nothing can have begun.
bool was_not_sent(const Error& error) {
    const auto is_no = [](const json::object& facts) { return text_or_empty(facts, "request_sent") == "no"; };
    const json::value* const attempts = error.context.if_contains("attempts");
    if (attempts != nullptr && attempts->is_array()) {
        for (const json::value& one : attempts->get_array()) {
            if (!one.is_object() || !is_no(one.get_object())) {
                return false;
            }
        }
    }
    return is_no(error.context);
}

/// The section of a result, made where it is missing.
json::object& section(json::object& result, std::string_view name) {
    json::value& found = result[name];
    return found.is_object() ? found.get_object() : found.emplace_object();
}

/// What comes of unpacking and writing a model.
struct Installed {
    SavedModel saved{};
    std::vector<std::string> unknown{};
};

Result<Installed> unpack(const std::string& archive, const ModelDirectory& models, const ModelName& name,
                         const std::string& strategy_path, const CancellationToken& token) {
    auto read = read_model_archive(archive);
    if (!read) {
        return read.error();
    }
    read->content.config["strategy_path"] = strategy_path;
    auto saved = models.save(name, std::move(read->content), [&token](std::string_view step) {
        return token.check(fmt::format("installing the model ({})", step));
    });
    if (!saved) {
        return saved.error();
    }
    return Installed{std::move(*saved), std::move(read->unknown)};
}

}  // namespace

HostSessionManager::HostSessionManager(TrainingRequest request, TrainingOperationContext context,
                                       HostSessionMeans means, std::shared_ptr<Operation> operation)
    : request_(std::move(request)),
      context_(std::move(context)),
      means_(std::move(means)),
      operation_(std::move(operation)),
      bridge_(operation_->progress()),
      session_(operation_->id()),
      told_epochs_(means_.told_epochs) {
    const std::vector<std::string> warnings = operation_->record().warnings;
    warned_.insert(warnings.begin(), warnings.end());
}

asio::awaitable<Result<json::object>> HostSessionManager::run(std::shared_ptr<HostSessionManager> self) {
    auto outcome = co_await self->train();
    if (!outcome && self->operation_->token().is_cancelled()) {
        co_await self->stop();
    }
    co_return outcome;
}

asio::awaitable<Result<json::object>> HostSessionManager::train() {
    bridge_.on_initializing();
    if (const auto begun = co_await begin(); !begun) {
        co_return begun.error();
    }
    if (const auto heard = co_await listen(); !heard && is_stop(heard.error().code)) {
        co_return heard.error();
    }
    // The stream's end is not the host's word; and where nothing is streamed, this is how one follows.
    auto ended = co_await poll();
    if (!ended) {
        co_return ended.error();
    }
    co_return co_await collect(std::move(*ended));
}

asio::awaitable<Result<void>> HostSessionManager::begin() {
    CallOptions options = call();
    options.idempotency_key = operation_->id();
    const auto started =
        co_await means_.adapter->start(start_request(request_, context_, operation_->id()), std::move(options));
    last_word_ = Steady::now();
    if (started) {
        session_ = started->id;
        warn_of_passed_over(started->used);
        co_return Result<void>{};
    }
    if (is_stop(started.error().code) || was_not_sent(started.error()) || !may_pass(started.error())) {
        co_return started.error();
    }
    // The answer may be lost, and a host that refuses an id for the second time may say no more than 500.
    const auto there = co_await means_.adapter->status(session_, call());
    if (there) {
        warn_of_passed_over({});
        co_return Result<void>{};
    }
    if (!is_stop(there.error().code)) {
        // It may still come, and must not train unheard.
        (void)co_await means_.adapter->stop(session_, false, call_to_stop());
    }
    co_return started.error();
}

asio::awaitable<Result<void>> HostSessionManager::listen() {
    const auto stream = means_.adapter->events(session_, call(), means_.pace.patience);
    for (;;) {
        const auto events = co_await stream->next();
        if (!events) {
            co_return events.error();
        }
        last_word_ = Steady::now();
        bool over = events->empty();
        for (const ServerEvent& event : *events) {
            over = hear(event) || over;
        }
        if (over) {
            stream->close();
            co_return Result<void>{};
        }
    }
}

bool HostSessionManager::hear(const ServerEvent& event) {
    boost::system::error_code unreadable;
    const json::value parsed = parse_json(event.data, unreadable);
    if (unreadable || !parsed.is_object()) {
        return false;
    }
    const json::object& told = parsed.get_object();
    if (event.event == "progress") {
        shown_ = read_remote_progress(told);
        bridge_.on_remote_snapshot(shown_, context_.strategy.options.epochs);
    } else if (event.event == "metric") {
        add_epoch(told);
    } else if (event.event == "warning") {
        warn(std::string(text_or_empty(told, "message")));
    } else if (event.event == "state") {
        const std::string_view state = text_or_empty(told, "session_status");
        return state == "completed" || state == "failed" || state == "stopped";
    }
    return false;
}

asio::awaitable<Result<SessionSnapshot>> HostSessionManager::poll() {
    const CancellationToken& token = operation_->token();
    auto pause = means_.pace.first_pause;
    for (;;) {
        auto session = co_await means_.adapter->status(session_, call());
        if (session) {
            last_word_ = Steady::now();
            const bool news = show(*session);
            if (session->has_additions) {
                co_await fetch_metrics();
            }
            if (has_ended(session->state)) {
                co_return session;
            }
            pause = news ? means_.pace.first_pause : std::min(means_.pace.longest_pause, pause * 3 / 2);
        } else if (is_stop(session.error().code)) {
            co_return session.error();
        } else if (!may_pass(session.error()) || Steady::now() - last_word_ >= means_.pace.patience) {
            co_return lost(session.error());
        }
        co_await pause_for(pause, token);
    }
}

bool HostSessionManager::show(const SessionSnapshot& session) {
    for (const json::object& epoch : session.epochs) {
        add_epoch(epoch);
    }
    for (const std::string& warning : session.warnings) {
        warn(warning);
    }
    if (session.progress == shown_) {
        return false;
    }
    shown_ = session.progress;
    if (session.state == SessionState::running || session.state == SessionState::completed) {
        bridge_.on_remote_snapshot(shown_, context_.strategy.options.epochs);
    }
    return true;
}

void HostSessionManager::add_epoch(const json::object& epoch) {
    const auto told = epoch_of(epoch);
    if (!told || *told <= told_epochs_) {
        return;
    }
    told_epochs_ = *told;
    json::object metric(epoch, json::storage_ptr{});
    metric.erase("seq");
    operation_->add_metric(kept_json(std::move(metric)));
}

void HostSessionManager::warn(const std::string& warning) {
    if (!warning.empty() && warned_.insert(warning).second) {
        operation_->add_warning(warning);
    }
}

void HostSessionManager::warn_of_passed_over(const std::vector<std::string>& used) {
    const std::vector<std::string> over = passed_over(request_, used);
    if (!over.empty()) {
        warn(
            fmt::format("the training host at {} does not say that it has used {}: it may know only the contract's "
                        "table, and have trained without",
                        means_.adapter->url(), fmt::join(over, ", ")));
    }
}

asio::awaitable<void> HostSessionManager::fetch_metrics() {
    for (;;) {
        const auto epochs = co_await means_.adapter->metrics(session_, cursor_, call());
        if (!epochs || epochs->empty()) {
            co_return;
        }
        for (const json::object& epoch : *epochs) {
            add_epoch(epoch);
        }
    }
}

asio::awaitable<Result<json::object>> HostSessionManager::collect(SessionSnapshot ended) {
    if (ended.state != SessionState::completed) {
        co_return ended_without_model(ended);
    }
    const bool whole = ended.has_additions && ended.result.has_value();
    json::object result = result_of_table(ended, context_);
    if (ended.result) {
        result = std::move(*ended.result);
    }
    if (whole) {
        if (const auto installed = co_await install(result); !installed) {
            co_return installed.error();
        }
    } else {
        warn(fmt::format("the training host at {} keeps the model of session {} to itself: it hands none over",
                         means_.adapter->url(), session_));
    }
    json::object& session = section(result, "session_info");
    session["operation_id"] = operation_->id();
    session["session_id"] = session_;
    session["training_mode"] = "host";
    session["use_host_service"] = true;
    session["host_status"] = "completed";
    section(result, "resource_usage")["training_mode"] = "host";
    co_return result;
}

asio::awaitable<Result<void>> HostSessionManager::install(json::object& result) {
    const auto archive = co_await means_.adapter->model(session_, call());
    if (!archive) {
        co_return archive.error();
    }
    bridge_.on_saving();
    std::function<Result<Installed>()> write = [bytes = std::make_shared<const std::string>(*archive),
                                                models = means_.models, name = context_.model_name(),
                                                path = context_.strategy_path, token = operation_->token()] {
        return unpack(*bytes, models, name, path, token);
    };
    const auto installed = co_await run_on(means_.files, std::move(write));
    if (!installed) {
        co_return installed.error();
    }
    for (const std::string& file : installed->unknown) {
        warn(fmt::format("the host's model has a file {:?}, which this version does not know; it was left out", file));
    }
    section(result, "artifacts")["model_path"] = installed->saved.path.string();
    bridge_.on_saved();
    co_return Result<void>{};
}

asio::awaitable<void> HostSessionManager::stop() {
    const SteadyTime until = Steady::now() + means_.pace.stop_limit;
    const auto stopped = co_await means_.adapter->stop(session_, request_.save_checkpoint, call_to_stop());
    constexpr int unknown = 404;
    if (!stopped && status_of(stopped.error()) == unknown) {
        co_return;
    }
    // Some hosts answer before the work has ended, and some answer 500 where it had ended before.
    if (!co_await see_the_end(until)) {
        warn(fmt::format("the training host at {} has not said that session {} has stopped, and it may go on there{}",
                         means_.adapter->url(), session_, stopped ? "" : ": " + stopped.error().message));
    }
}

asio::awaitable<bool> HostSessionManager::see_the_end(SteadyTime until) {
    while (Steady::now() < until) {
        const auto session = co_await means_.adapter->status(session_, call_to_stop());
        if (!session) {
            co_return false;
        }
        if (has_ended(session->state)) {
            co_return true;
        }
        co_await pause_for(end_pause, CancellationToken{});
    }
    co_return false;
}

CallOptions HostSessionManager::call() const {
    CallOptions options = call_options_of(operation_);
    options.idempotent = true;
    return options;
}

CallOptions HostSessionManager::call_to_stop() const {
    CallOptions options;
    options.operation_id = operation_->id();
    options.idempotent = true;
    options.urgent = true;
    options.deadline = Steady::now() + means_.pace.stop_limit;
    return options;
}

Error HostSessionManager::lost(const Error& why) const {
    Error error = why;
    error.message = fmt::format(
        "the training host at {} was lost: {}. Session {} may go on there; its status says so "
        "once the host answers again",
        means_.adapter->url(), why.message, session_);
    error.context["session_id"] = session_;
    return error;
}

Error HostSessionManager::ended_without_model(const SessionSnapshot& ended) const {
    const std::string& url = means_.adapter->url();
    json::object context{{"service", "training"}, {"url", url}, {"session_id", session_}};
    if (ended.interrupted) {
        return fail(Errc::host_service,
                    fmt::format("the training host at {} ended while it trained session {}; start the training again",
                                url, session_),
                    std::move(context));
    }
    if (ended.state == SessionState::stopped) {
        return fail(Errc::host_service,
                    fmt::format("session {} was stopped on the training host at {}{}", session_, url,
                                ended.error.empty() ? "" : ": " + ended.error),
                    std::move(context));
    }
    return fail(errc_from(ended.error_code).value_or(Errc::training),
                ended.error.empty()
                    ? fmt::format("session {} failed on the training host at {}, which does not say why", session_, url)
                    : ended.error,
                std::move(context));
}

}  // namespace ktrdr
