#include "request_log.hpp"

#include <fmt/format.h>

#include <ktrdr/base/log.hpp>

#include "url.hpp"

namespace ktrdr {
namespace {

/// For whom the request is made, or nothing.
std::string operation_of(const Headers& headers) {
    for (const auto& [name, value] : headers) {
        if (name == "X-Operation-Id") {
            return value;
        }
    }
    return {};
}

}  // namespace

RequestLog::RequestLog(const Request& request, std::string_view origin, std::string_view target) {
    if (!log_enabled(LogLevel::debug)) {
        return;
    }
    shown_ = fmt::format("{} {}{}", request.method, origin, url_in_error(target));
    operation_id_ = operation_of(request.defaults);
    began_ = std::chrono::steady_clock::now();
}

void RequestLog::tell(const Result<Response>& answer) const {
    if (is_on()) {
        tell(answer ? std::to_string(answer->status) : std::string(to_string(answer.error().code)));
    }
}

void RequestLog::tell(const std::string& outcome) const {
    if (is_on()) {
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began_;
        log(LogLevel::debug, "http", fmt::format("{}: {} in {:.1f} ms", shown_, outcome, took.count()), operation_id_);
    }
}

}  // namespace ktrdr
