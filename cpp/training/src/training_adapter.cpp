#include <ktrdr/training/training_adapter.hpp>

#include <fmt/format.h>

#include <ktrdr/base/file_names.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/http/digest.hpp>

namespace ktrdr {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

constexpr const char* archive_type = "application/x-tar";

std::string below(std::string_view prefix, const std::string& session, std::string_view suffix = "") {
    return fmt::format("{}{}{}", prefix, percent_encoded(session), suffix);
}

json::object stop_request(const std::string& session, bool save_checkpoint) {
    return {{"session_id", session}, {"save_checkpoint", save_checkpoint}};
}

/// An error of a reader, with what was asked in front of it.
Error of_answer(Error error, const std::string& asked) {
    error.message = fmt::format("{}: {}", asked, error.message);
    return error;
}

Result<std::vector<json::object>> read_metrics(const json::value& answer, std::int64_t& cursor) {
    std::vector<json::object> epochs;
    const json::object* const told = answer.if_object();
    const json::value* const list = told == nullptr ? nullptr : told->if_contains("metrics");
    const json::value* const next = told == nullptr ? nullptr : told->if_contains("cursor");
    if (list == nullptr || !list->is_array() || next == nullptr || !next->is_int64()) {
        return fail(Errc::protocol, "the host's metrics have no list, or no cursor");
    }
    for (const json::value& one : list->get_array()) {
        if (one.is_object()) {
            epochs.emplace_back(json::object(one.get_object(), json::storage_ptr{}));
        }
    }
    cursor = std::max(cursor, next->get_int64());
    return epochs;
}

}  // namespace

asio::awaitable<Result<StartedSession>> TrainingAdapter::start(json::object request, CallOptions options) {
    options.idempotent = true;
    const auto answer = co_await service_->call_post("/training/start", std::move(request), std::move(options));
    if (!answer) {
        co_return answer.error();
    }
    auto started = read_started(*answer);
    if (!started) {
        co_return of_answer(started.error(), fmt::format("POST {}/training/start", url()));
    }
    co_return started;
}

asio::awaitable<Result<SessionSnapshot>> TrainingAdapter::status(std::string session, CallOptions options) {
    const std::string endpoint = below("/training/status/", session);
    const auto answer = co_await service_->call_get(endpoint, std::move(options));
    if (!answer) {
        co_return answer.error();
    }
    auto read = read_session(*answer);
    if (!read) {
        co_return of_answer(read.error(), fmt::format("GET {}{}", url(), endpoint));
    }
    co_return read;
}

asio::awaitable<Result<void>> TrainingAdapter::stop(std::string session, bool save_checkpoint, CallOptions options) {
    options.idempotent = true;
    options.urgent = true;
    json::object body = stop_request(session, save_checkpoint);
    const auto answer = co_await service_->call_post("/training/stop", std::move(body), std::move(options));
    if (!answer) {
        co_return answer.error();
    }
    co_return Result<void>{};
}

asio::awaitable<Result<std::vector<json::object>>> TrainingAdapter::metrics(std::string session,
                                                                            std::shared_ptr<std::int64_t> cursor,
                                                                            CallOptions options) {
    const std::string endpoint = below("/training/sessions/", session, "/metrics");
    const auto answer = co_await service_->call_get(fmt::format("{}?cursor={}", endpoint, *cursor), std::move(options));
    if (!answer) {
        co_return answer.error();
    }
    auto read = read_metrics(*answer, *cursor);
    if (!read) {
        co_return of_answer(read.error(), fmt::format("GET {}{}", url(), endpoint));
    }
    co_return read;
}

asio::awaitable<Result<std::string>> TrainingAdapter::model(std::string session, CallOptions options) {
    const std::string endpoint = below("/training/sessions/", session, "/model");
    auto answer = co_await service_->call_get_for(archive_type, endpoint, std::move(options));
    if (!answer) {
        co_return answer.error();
    }
    if (const auto whole = check_digest(*answer); !whole) {
        co_return of_answer(whole.error(), fmt::format("GET {}{}", url(), endpoint));
    }
    co_return std::move(answer->body);
}

std::shared_ptr<EventStream> TrainingAdapter::events(const std::string& session, CallOptions options,
                                                     std::chrono::milliseconds patience) {
    return service_->events(below("/training/sessions/", session, "/events"), "", std::move(options), patience);
}

}  // namespace ktrdr
