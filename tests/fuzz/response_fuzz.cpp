// An answer, whole and in pieces: the same outcome, within the limits. The first byte chooses how it is asked for, the
// second how large the pieces are.

#include <response_parser.hpp>

#include <algorithm>
#include <string>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

constexpr std::size_t head_bytes = 512;
constexpr std::size_t body_bytes = 4096;

struct Outcome {
    bool done{false};
    bool failed{false};
    bool too_large{false};
    std::size_t left{0};
    Response response{};
};

/// How it is asked for.
struct Way {
    bool decode;
    bool head;
    bool to_end;
    /// As a stream reads it: without a limit, and what comes plain is not given to the parser to keep.
    bool streamed;
};

/// As a connection does it: what is not used stays in front of what comes next.
Outcome read(std::string_view bytes, std::size_t piece, Way way) {
    const std::size_t most = way.streamed ? ResponseParser::unlimited : body_bytes;
    ResponseParser parser({head_bytes, most, way.decode}, way.head);
    Outcome outcome;
    std::string buffer;
    std::string streamed;
    while (!bytes.empty() && !outcome.done && !outcome.failed) {
        std::size_t size = std::min(piece, bytes.size());
        const bool passing = way.streamed && buffer.empty() && parser.plain_left() > 0;
        if (passing) {
            size = std::min<std::uint64_t>(size, parser.plain_left());
            streamed += parser.take_body();
            streamed += bytes.substr(0, size);
        } else {
            buffer.append(bytes.substr(0, size));
        }
        std::size_t used = 0;
        const auto progress = passing ? parser.pass(boost::asio::buffer(bytes.substr(0, size)))
                                      : parser.feed(boost::asio::buffer(buffer), used);
        bytes.remove_prefix(size);
        require(used <= buffer.size(), "no more is used than was given");
        buffer.erase(0, used);
        outcome.failed = progress.has_error();
        outcome.too_large = outcome.failed && progress.error().code == Errc::response_too_large;
        outcome.done = progress.has_value() && *progress == ResponseParser::Progress::done;
    }
    if (!outcome.done && !outcome.failed && way.to_end && parser.started()) {
        const auto progress = parser.feed_end();
        outcome.failed = progress.has_error();
        outcome.done = progress.has_value();
    }
    outcome.left = buffer.size() + bytes.size();
    if (outcome.done) {
        (void)parser.keep_alive();
        outcome.response = parser.take();
        outcome.response.body.insert(0, streamed);
        require(outcome.response.body.size() <= most, "the body is within its limit");
        require(outcome.response.headers.size() <= 100, "the fields are within their limit");
        require(outcome.response.status >= 200, "an interim answer is not final");
        require(!way.head || outcome.response.body.empty(), "HEAD has no body");
    }
    return outcome;
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr::fuzz;
    if (size < 2) {
        return 0;
    }
    const Way way{(data[0] & 1U) != 0, (data[0] & 2U) != 0, (data[0] & 4U) != 0, (data[0] & 8U) != 0};
    const std::size_t piece = 1 + data[1] % 64U;
    const std::string_view bytes = text_of(data + 2, size - 2);
    const Outcome whole = read(bytes, bytes.size(), way);
    const Outcome pieces = read(bytes, piece, way);
    if (whole.done && pieces.done) {
        require(whole.response.status == pieces.response.status, "the status does not depend on the pieces");
        require(whole.response.headers == pieces.response.headers, "the headers do not depend on the pieces");
        require(whole.response.body == pieces.response.body, "the body does not depend on the pieces");
        require(whole.left == pieces.left, "the end does not depend on the pieces");
    }
    // What is counted against a limit depends a little on the pieces.
    require(!whole.done || pieces.done || pieces.too_large, "what is an answer whole is one in pieces");
    return 0;
}
