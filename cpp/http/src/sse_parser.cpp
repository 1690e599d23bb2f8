#include "sse_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace ktrdr {
namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
constexpr std::chrono::milliseconds longest_retry = std::chrono::minutes{5};

}  // namespace

Result<void> SseParser::feed(std::string_view bytes, std::vector<ServerEvent>& out) {
    while (!bytes.empty()) {
        if (after_cr_ && bytes.front() == '\n') {
            bytes.remove_prefix(1);
        }
        after_cr_ = false;
        const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
        if (line_.size() + end > limits_.line_bytes) {
            return too_large("line", limits_.line_bytes);
        }
        line_.append(bytes.substr(0, end));
        if (end == bytes.size()) {
            break;
        }
        after_cr_ = bytes[end] == '\r';
        bytes.remove_prefix(end + 1);
        if (const auto taken = end_line(out); !taken) {
            return taken;
        }
    }
    return {};
}

void SseParser::restart() {
    line_.clear();
    event_.clear();
    data_.clear();
    has_data_ = after_cr_ = false;
    at_start_ = true;
    id_ = last_event_id_;
}

Result<void> SseParser::end_line(std::vector<ServerEvent>& out) {
    std::string_view line = line_;
    if (std::exchange(at_start_, false) && line.starts_with(byte_order_mark)) {
        line.remove_prefix(byte_order_mark.size());
    }
    Result<void> taken;
    if (line.empty()) {
        dispatch(out);
    } else if (line.front() != ':') {
        const std::size_t colon = std::min(line.find(':'), line.size());
        std::string_view value = line.substr(std::min(colon + 1, line.size()));
        if (value.starts_with(' ')) {
            value.remove_prefix(1);
        }
        taken = take_field(line.substr(0, colon), value);
    }
    line_.clear();
    return taken;
}

Result<void> SseParser::take_field(std::string_view name, std::string_view value) {
    if (name == "data") {
        if (data_.size() + (has_data_ ? 1 : 0) + value.size() > limits_.event_bytes) {
            return too_large("event", limits_.event_bytes);
        }
        if (std::exchange(has_data_, true)) {
            data_.push_back('\n');
        }
        data_.append(value);
    } else if (name == "event") {
        event_ = value;
    } else if (name == "id" && value.find('\0') == std::string_view::npos) {
        id_ = value;
    } else if (name == "retry") {
        std::int64_t time = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), time);
        if (error == std::errc{} && end == value.data() + value.size() && time >= 0) {
            retry_ = std::min<std::chrono::milliseconds>(std::chrono::milliseconds{time}, longest_retry);
        }
    }
    return {};
}

void SseParser::dispatch(std::vector<ServerEvent>& out) {
    last_event_id_ = id_;
    if (std::exchange(has_data_, false)) {
        out.push_back({event_.empty() ? "message" : std::move(event_), std::move(data_), last_event_id_});
    }
    event_.clear();
    data_.clear();
}

Error SseParser::too_large(std::string_view what, std::size_t limit) const {
    return fail(Errc::response_too_large,
                fmt::format("has an event stream's {} over the limit of {} bytes", what, limit),
                {{"limit_bytes", limit}});
}

}  // namespace ktrdr
