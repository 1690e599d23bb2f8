#include <ktrdr/adapter/service_errors.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <string_view>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/json.hpp>
#include <ktrdr/base/sent_json.hpp>
#include <ktrdr/base/text.hpp>

namespace ktrdr {
namespace json = boost::json;
namespace {

constexpr std::size_t kept_body_bytes = 4096;
constexpr std::size_t shown_body_bytes = 200;

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
    (void)parse_json(json::serialize(json::string(text)), error);
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

const json::value* text_in(const json::object& object, std::string_view key) {
    const json::value* const found = object.if_contains(key);
    return found != nullptr && found->is_string() ? found : nullptr;
}

/// The record of an error in a body, as `{"code", "message", "context"}`; empty where there is none.
json::object cause_in(const json::object& body) {
    const json::object* record = &body;
    for (const std::string_view key : {"error", "detail"}) {
        if (const json::value* const found = body.if_contains(key); found != nullptr && found->is_object()) {
            record = &found->get_object();
            break;
        }
    }
    const json::value* const message = text_in(*record, "message");
    if (message == nullptr) {
        return {};
    }
    json::object cause{{"code", text_or_empty(*record, "code")}, {"message", *message}, {"context", {}}};
    for (const std::string_view key : {"context", "details"}) {
        if (const json::value* const found = record->if_contains(key); found != nullptr && found->is_object()) {
            cause["context"] = *found;
            break;
        }
    }
    return cause;
}

/// The reason a service gives in FastAPI's `detail`, in `error` or in `message`, else the beginning of the body.
std::string reason_in(const json::value& parsed, std::string_view body) {
    if (parsed.is_object()) {
        if (const json::object cause = cause_in(parsed.get_object()); !cause.empty()) {
            return on_one_line(cause.at("message").get_string());
        }
        for (const std::string_view key : {"detail", "error"}) {
            if (const json::value* const found = text_in(parsed.get_object(), key); found != nullptr) {
                return on_one_line(found->get_string());
            }
        }
    }
    return on_one_line(body);
}

json::object facts(const Asked& asked, const Response& response) {
    json::object told{{"service", asked.service},
                      {"method", asked.method},
                      {"url", asked.url},
                      {"status", response.status},
                      {"body", as_text(head_of(response.body, kept_body_bytes))},
                      {"phase", "answer"},
                      {"elapsed_ms", std::chrono::duration<double, std::milli>(response.elapsed).count()},
                      {"request_sent", "whole"},
                      {"retryable", is_passing(response.status)},
                      {"attempts", to_json(response.attempts)}};
    if (const auto pause = retry_after(response, system_clock().utc_now()); pause && pause->count() > 0) {
        told["retry_after"] = std::chrono::duration<double>(*pause).count();
    }
    return told;
}

}  // namespace

Error status_error(const Asked& asked, const Response& response) {
    boost::system::error_code not_json;
    const json::value parsed = parse_sent_json(response.body, not_json);
    const std::string reason = reason_in(parsed, response.body);
    json::object context = facts(asked, response);
    if (parsed.is_object()) {
        if (json::object cause = cause_in(parsed.get_object()); !cause.empty()) {
            context["cause"] = kept_json(std::move(cause));
        }
    }
    return fail(Errc::status,
                fmt::format("{} answered {} to {} {}: {}", asked.service, response.status, asked.method, asked.url,
                            reason.empty() ? "(no body)" : reason),
                std::move(context));
}

Error not_json_error(const Asked& asked, const Response& response, const std::string& why) {
    return fail(
        Errc::protocol,
        fmt::format("{} answered {} {} with something that is not JSON ({}); it begins: {}", asked.service,
                    asked.method, asked.url, why, response.body.empty() ? "(no body)" : on_one_line(response.body)),
        facts(asked, response));
}

Result<json::value> json_answer(std::string_view base_url, Asked asked, const Response& response) try {
    const bool good = is_success(response.status);
    boost::system::error_code error;
    if (good) {
        // One block of memory for the whole of it.
        const auto memory = json::make_shared_resource<json::monotonic_resource>();
        json::value decoded = parse_sent_json(response.body, error, memory);
        if (!error) {
            return decoded;
        }
    }
    asked.url.insert(0, base_url);
    return good ? not_json_error(asked, response, error.message()) : status_error(asked, response);
} catch (...) {
    return caught("decoding the answer of a service");
}

}  // namespace ktrdr
