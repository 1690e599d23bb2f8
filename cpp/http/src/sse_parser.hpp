#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/result.hpp>
#include <ktrdr/http/event_stream.hpp>

namespace ktrdr {

/// Reads server-sent events out of bytes as they come (HTML Living Standard, 9.2.6): lines that end with CR, LF or
/// both, the fields event, data, id and retry, comments.
///
/// Errors: `response_too_large` in words that follow "the answer …".
/// Thread safety: none.
class SseParser final {
public:
    struct Limits {
        std::size_t line_bytes;
        std::size_t event_bytes;
    };
    explicit SseParser(Limits limits, std::string last_event_id = {})
        : limits_(limits), id_(last_event_id), last_event_id_(std::move(last_event_id)) {}

    /// Append the events that are whole now. What the bytes before left unfinished is kept.
    [[nodiscard]] Result<void> feed(std::string_view bytes, std::vector<ServerEvent>& out);
    /// A new connection begins: what the old one left unfinished is forgotten.
    void restart();

    /// Of the newest event that was given out.
    [[nodiscard]] const std::string& last_event_id() const noexcept { return last_event_id_; }
    /// How long the server wants a client to wait before it connects again, if it said so.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }

private:
    [[nodiscard]] Result<void> end_line(std::vector<ServerEvent>& out);
    [[nodiscard]] Result<void> take_field(std::string_view name, std::string_view value);
    void dispatch(std::vector<ServerEvent>& out);
    [[nodiscard]] Error too_large(std::string_view what, std::size_t limit) const;

    Limits limits_;
    std::string line_{};
    /// A CR was the last byte: an LF that follows belongs to it.
    bool after_cr_{false};
    bool at_start_{true};
    std::string event_{};
    std::string data_{};
    bool has_data_{false};
    std::string id_;
    std::string last_event_id_;
    std::optional<std::chrono::milliseconds> retry_{};
};

}  // namespace ktrdr
