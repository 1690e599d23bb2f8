#include <ktrdr/adapter/async_service_adapter.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <string_view>
#include <utility>

namespace ktrdr {
namespace json = boost::json;
namespace {

constexpr std::size_t kept_body_bytes = 4096;
constexpr std::size_t shown_body_bytes = 200;
constexpr std::chrono::seconds health_limit{5};

/// At most `limit` bytes, not cut inside a character of UTF-8.
std::string_view head_of(std::string_view body, std::size_t limit) {
    std::size_t length = std::min(body.size(), limit);
    while (length < body.size() && length > 0 && (static_cast<unsigned char>(body[length]) & 0xC0U) == 0x80U) {
        --length;
    }
    return body.substr(0, length);
}

/// Errors travel on as JSON and as text of Python: what is not UTF-8 is shown as '?'.
std::string as_text(std::string_view bytes) {
    std::string text(bytes);
    boost::system::error_code error;
    json::parse(json::serialize(json::string(text)), error);
    if (error) {
        std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c >= 0x7f; }, '?');
    }
    return text;
}

/// The beginning of a body on one line.
std::string on_one_line(std::string_view body) {
    std::string text = as_text(head_of(body, shown_body_bytes));
    std::replace_if(text.begin(), text.end(), [](unsigned char c) { return c < 0x20; }, ' ');
    return body.size() > shown_body_bytes ? text + "…" : text;
}

/// The reason a service gives in FastAPI's `detail` or in `error`, else the beginning of the body.
std::string reason_in(std::string_view body) {
    boost::system::error_code error;
    const json::value parsed = json::parse(body, error);
    if (!error && parsed.is_object()) {
        for (const std::string_view key : {"detail", "error", "message"}) {
            const json::value* const found = parsed.get_object().if_contains(key);
            if (found != nullptr && found->is_string()) {
                return on_one_line(found->get_string());
            }
        }
    }
    return on_one_line(body);
}

json::object facts(const Asked& asked, const Response& response) {
    return {{"service", asked.service},
            {"method", asked.method},
            {"url", asked.url},
            {"status", response.status},
            {"body", as_text(head_of(response.body, kept_body_bytes))},
            {"phase", "answer"},
            {"elapsed_ms", std::chrono::duration<double, std::milli>(response.elapsed).count()},
            {"request_sent", "whole"},
            {"retryable", is_passing(response.status)},
            {"attempts", to_json(response.attempts)}};
}

}  // namespace

Error status_error(const Asked& asked, const Response& response) {
    const std::string reason = reason_in(response.body);
    return fail(Errc::status,
                fmt::format("{} answered {} to {} {}: {}", asked.service, response.status, asked.method, asked.url,
                            reason.empty() ? "(no body)" : reason),
                facts(asked, response));
}

Error not_json_error(const Asked& asked, const Response& response, const std::string& why) {
    return fail(
        Errc::protocol,
        fmt::format("{} answered {} {} with something that is not JSON ({}); it begins: {}", asked.service,
                    asked.method, asked.url, why, response.body.empty() ? "(no body)" : on_one_line(response.body)),
        facts(asked, response));
}

AsyncServiceAdapter::AsyncServiceAdapter(std::string service_name, std::string start_hint,
                                         std::shared_ptr<HttpClient> client)
    : service_name_(std::move(service_name)), start_hint_(std::move(start_hint)), client_(std::move(client)) {}

AsyncServiceAdapter::~AsyncServiceAdapter() = default;

boost::asio::awaitable<Result<json::value>> AsyncServiceAdapter::call_get(std::string endpoint, CallOptions options) {
    Request request;
    request.url = std::move(endpoint);
    request.idempotent = true;
    return call(std::move(request), std::move(options));
}

boost::asio::awaitable<Result<json::value>> AsyncServiceAdapter::call_post(std::string endpoint, json::value data,
                                                                           CallOptions options) {
    Request request;
    request.method = "POST";
    request.url = std::move(endpoint);
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = json::serialize(data);
    request.idempotent = options.idempotent;
    return call(std::move(request), std::move(options));
}

boost::asio::awaitable<Result<ServiceHealth>> AsyncServiceAdapter::check_health(CallOptions options) {
    Request request;
    request.url = "/health";
    request.idempotent = true;
    request.timeout = health_limit;
    auto answer = co_await call(std::move(request), std::move(options));
    if (!answer) {
        co_return std::move(answer).error();
    }
    if (!answer->is_object()) {
        co_return fail(Errc::protocol,
                       fmt::format("{} answered {}/health with JSON that is no object", service_name_, base_url()),
                       {{"service", service_name_}, {"url", base_url() + "/health"}});
    }
    ServiceHealth health{true, std::move(answer->get_object())};
    if (const json::value* const healthy = health.detail.if_contains("healthy"); healthy != nullptr) {
        health.healthy = healthy->is_bool() && healthy->get_bool();
    }
    co_return health;
}

boost::asio::awaitable<Result<json::value>> AsyncServiceAdapter::call(Request request, CallOptions options) {
    const std::string method = request.method;
    const std::string target = request.url.substr(0, request.url.find('?'));
    request.headers.emplace_back("Accept", "application/json");
    // A host service is near: packing would cost it more time than the bytes take.
    request.decode = false;
    if (!options.operation_id.empty()) {
        request.headers.emplace_back("X-Operation-Id", options.operation_id);
    }
    auto response = co_await client_->send(std::move(request), options.cancellation_token);
    if (!response) {
        co_return no_answer(std::move(response).error(), options);
    }
    const bool good = response->status >= 200 && response->status <= 299;
    boost::system::error_code error;
    json::value decoded = good ? json::parse(response->body, error) : json::value();
    if (good && !error) {
        co_return decoded;
    }
    const Asked asked{service_name_, method, base_url() + target};
    Error broken = good ? not_json_error(asked, *response, error.message()) : status_error(asked, *response);
    if (!options.operation_id.empty()) {
        broken.context["operation_id"] = options.operation_id;
    }
    co_return broken;
}

Error AsyncServiceAdapter::no_answer(Error error, const CallOptions& options) const {
    error.context["service"] = service_name_;
    if (!options.operation_id.empty()) {
        error.context["operation_id"] = options.operation_id;
    }
    if (error.code == Errc::service_connection && !start_hint_.empty()) {
        error.message = fmt::format("{}; {}", error.message, start_hint_);
    }
    return error;
}

std::string encode_query(const std::vector<std::pair<std::string, std::string>>& pairs) {
    constexpr std::string_view unreserved = "-._~";
    std::string query;
    const auto append = [&](std::string_view text) {
        for (const char c : text) {
            if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                unreserved.find(c) != std::string_view::npos) {
                query.push_back(c);
            } else {
                fmt::format_to(std::back_inserter(query), "%{:02X}", static_cast<unsigned char>(c));
            }
        }
    };
    for (const auto& [name, value] : pairs) {
        query.push_back(query.empty() ? '?' : '&');
        append(name);
        query.push_back('=');
        append(value);
    }
    return query;
}

}  // namespace ktrdr
