// Server-sent events, whole and in pieces: the same events, within the limits. The first byte says how large the pieces
// are.

#include <sse_parser.hpp>

#include <algorithm>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

constexpr SseParser::Limits limits{.line_bytes = 64, .event_bytes = 128};

struct Outcome {
    std::vector<ServerEvent> events{};
    bool failed{false};
    std::string last_event_id{};
    std::optional<std::chrono::milliseconds> retry{};
};

Outcome read(std::string_view bytes, std::size_t piece) {
    SseParser parser(limits, "before");
    Outcome outcome;
    while (!bytes.empty() && !outcome.failed) {
        const std::size_t size = std::min(piece, bytes.size());
        outcome.failed = parser.feed(bytes.substr(0, size), outcome.events).has_error();
        bytes.remove_prefix(size);
    }
    for (const ServerEvent& event : outcome.events) {
        require(event.data.size() <= limits.event_bytes, "an event is within its limit");
        require(!event.event.empty(), "an event has a type");
        require(event.id.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "an id is one line");
        require(event.data.find('\r') == std::string::npos, "data has no CR");
    }
    outcome.last_event_id = parser.last_event_id();
    outcome.retry = parser.retry();
    require(!outcome.retry || outcome.retry->count() >= 0, "a pause is not negative");
    return outcome;
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr::fuzz;
    if (size < 1) {
        return 0;
    }
    const std::string_view bytes = text_of(data + 1, size - 1);
    const Outcome whole = read(bytes, std::max<std::size_t>(bytes.size(), 1));
    const Outcome pieces = read(bytes, 1 + data[0] % 32U);
    require(whole.failed == pieces.failed, "whether it fails does not depend on the pieces");
    require(whole.events == pieces.events, "the events do not depend on the pieces");
    require(whole.last_event_id == pieces.last_event_id, "the last id does not depend on the pieces");
    require(whole.retry == pieces.retry, "the pause does not depend on the pieces");
    return 0;
}
