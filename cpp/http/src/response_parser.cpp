#include "response_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/beast/http/error.hpp>

namespace ktrdr {
namespace http = boost::beast::http;
namespace {

constexpr unsigned max_fields = 100;
constexpr unsigned usual_fields = 8;
constexpr unsigned max_interim = 8;
/// "0", CR LF, CR LF: no chunk's head is shorter with what must follow it. Beast takes as much for granted where it is
/// given the last one in pieces.
constexpr std::size_t least_chunk_head = 5;
/// A chunk's size line costs a few bytes; more framing than this per byte of body is no honest answer.
constexpr std::uint64_t framing_per_body_byte = 8;
/// A length is a claim: no more memory than this is taken for one before the body is there.
constexpr std::uint64_t most_reserved = 16UL * 1024 * 1024;

/// "HTTP/1.1 200", which a blank should follow, and a reason that may be empty.
constexpr std::size_t bare_status_line = 12;

http::error stop_code() {
    return http::error::bad_value;
}

/// It may be blanks that Beast does not take.
bool is_mendable(const boost::beast::error_code& error) {
    return error == http::error::bad_chunk || error == http::error::bad_chunk_extension;
}

/// The head of a chunk whose size has blanks around it and nothing else, with zeros before it in their place: as long
/// as it was, for Beast remembers how far it has looked. Of the last chunk with all that follows, else alone. None for
/// any other head, and for half of one.
std::optional<std::string> without_blanks(std::string_view rest) {
    constexpr std::string_view line_end = "\r\n";
    const std::size_t begin = rest.starts_with(line_end) ? line_end.size() : 0;
    const std::size_t end = rest.find(line_end, begin);
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view line = rest.substr(begin, end - begin);
    const std::size_t first = line.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view size = line.substr(first, line.find_last_not_of(" \t") + 1 - first);
    if (size.size() == line.size() || size.find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos) {
        return std::nullopt;
    }
    const bool is_last = size.find_first_not_of('0') == std::string_view::npos;
    std::string mended(rest.substr(0, begin));
    mended.append(line.size() - size.size(), '0').append(size).append(is_last ? rest.substr(end) : line_end);
    return mended;
}

}  // namespace

ResponseParser::Message::Message(Limits message_limits, bool is_head) : limits(message_limits), head_request(is_head) {
    eager(true);
    skip(is_head);
    header_limit(static_cast<std::uint32_t>(limits.head_bytes));
    body_limit(limits.body_bytes);
}

void ResponseParser::Message::on_response_impl(int code, View, int, Code& error) {
    response.status = code;
    response.headers.reserve(usual_fields);
    if (code < 100) {
        broken = fmt::format("has the status {:03}", code);
        error = stop_code();
    }
}

void ResponseParser::Message::on_field_impl(http::field name, View name_text, View value, Code& error) {
    if (!in_head) {
        framing += name_text.size() + value.size();
        if (++fields > max_fields || framing > limits.head_bytes + framing_per_body_byte * received) {
            error = http::error::header_limit;
        }
        return;
    }
    if (++fields > max_fields) {
        error = http::error::header_limit;
        return;
    }
    if (name == http::field::content_length) {
        // Of several, in one field or in more, Beast makes sure that they are the same.
        has_length = true;
    } else if (name == http::field::transfer_encoding) {
        ++codings;
        only_chunked = only_chunked && boost::beast::iequals(value, "chunked");
    } else if (name == http::field::content_encoding) {
        // Of several only the caller knows what to do with them.
        coding = coding.empty() ? std::string(value) : "several";
    }
    response.headers.emplace_back(name_text, value);
}

void ResponseParser::Message::on_header_impl(Code& error) {
    in_head = false;
    if (codings > 0 && has_length) {
        broken = "has both Transfer-Encoding and Content-Length";
    } else if (codings > 1 || !only_chunked) {
        broken = "has a Transfer-Encoding other than chunked";
    } else if (response.status == 101) {
        broken = "switches the protocol, which nobody asked for";
    }
    if (!broken.empty()) {
        error = stop_code();
    } else if (limits.decode && Inflater::knows(coding)) {
        inflater.emplace();
    }
}

void ResponseParser::Message::on_body_init_impl(const boost::optional<std::uint64_t>& length, Code&) {
    if (length && !head_request && !inflater && limits.body_bytes != unlimited) {
        response.body.reserve(std::min(*length, most_reserved));
    }
}

std::size_t ResponseParser::Message::on_body_impl(View body, Code& error) {
    received += body.size();
    if (received > limits.body_bytes) {
        error = http::error::body_limit;
        return 0;
    }
    if (passing) {
        return body.size();
    }
    if (!inflater) {
        response.body.append(body.data(), body.size());
    } else if (const auto unpacked = inflater->feed(body, response.body, limits.body_bytes); !unpacked) {
        unpacking = unpacked.error();
        error = stop_code();
        return 0;
    }
    return body.size();
}

void ResponseParser::Message::on_chunk_header_impl(std::uint64_t size, View extensions, Code& error) {
    chunk_left = size;
    framing += extensions.size() + 4;
    if (framing > limits.head_bytes + framing_per_body_byte * received) {
        error = http::error::header_limit;
    }
}

std::size_t ResponseParser::Message::on_chunk_body_impl(std::uint64_t, View body, Code& error) {
    const std::size_t taken = on_body_impl(body, error);
    chunk_left -= taken;
    return taken;
}

bool ResponseParser::Message::is_before_chunk() const {
    return is_header_done() && !is_done() && chunked() && chunk_left == 0;
}

ResponseParser::ResponseParser(Limits limits, bool head_request) : limits_(limits), head_request_(head_request) {
    message_.emplace(limits_, head_request_);
}

bool ResponseParser::begins_like_answer(std::string_view bytes) noexcept {
    constexpr std::string_view begin = "HTTP/1.";
    return bytes.substr(0, begin.size()) == begin.substr(0, bytes.size());
}

bool ResponseParser::is_interim() const noexcept {
    return message_->is_done() && message_->response.status / 100 == 1;
}

Result<ResponseParser::Progress> ResponseParser::feed(boost::asio::const_buffer data, std::size_t& used) {
    used = 0;
    started_ = started_ || data.size() > 0;
    if (starved_ && data.size() < least_chunk_head) {
        return Progress::need_more;
    }
    while (!message_->is_done() && used < data.size()) {
        const std::string_view rest(static_cast<const char*>(data.data()) + used, data.size() - used);
        if (message_->response.status == 0 && !begins_like_answer(rest)) {
            return fail(Errc::protocol, "is not HTTP/1.1: it does not begin with HTTP/1.");
        }
        boost::beast::error_code error;
        const std::size_t taken = put(rest, error);
        used += taken;
        starved_ = error == http::error::need_more && message_->is_header_done();
        if (error == http::error::need_more) {
            break;
        }
        if (is_mendable(error) && !message_->sloppy && without_blanks(rest.substr(taken))) {
            // From here on chunk by chunk.
            message_->sloppy = true;
            message_->eager(false);
            continue;
        }
        if (error) {
            return explain(error);
        }
        if (is_interim()) {
            if (++interim_ > max_interim) {
                return fail(Errc::protocol, fmt::format("begins with more than {} interim (1xx) heads", max_interim));
            }
            message_.emplace(limits_, head_request_);
        } else if (taken == 0) {
            break;
        }
    }
    if (!message_->is_done() && data.size() - used > limits_.head_bytes) {
        return fail(Errc::response_too_large,
                    fmt::format("has a head or a chunk's head over the limit of {} bytes", limits_.head_bytes),
                    {{"limit_bytes", limits_.head_bytes}});
    }
    return message_->is_done() ? done() : Result<Progress>(Progress::need_more);
}

std::size_t ResponseParser::put(std::string_view rest, boost::beast::error_code& error) {
    if (message_->response.status == 0) {
        const std::string_view line = rest.substr(0, bare_status_line);
        const std::string_view end = rest.substr(line.size(), 2);
        if (end == "\r\n") {
            const std::size_t taken = message_->put(boost::asio::buffer(fmt::format("{} \r\n", line)), error);
            if (taken == 0) {
                return 0;
            }
            // That line was all that it was given: what follows is not missing.
            error = {};
            return line.size() + end.size();
        }
        if (end.size() < 2) {
            // Beast, given half a line, looks for the whole head from then on.
            error = http::error::need_more;
            return 0;
        }
    } else if (message_->sloppy && message_->is_before_chunk()) {
        if (const auto mended = without_blanks(rest); mended) {
            const std::size_t taken = message_->put(boost::asio::buffer(*mended), error);
            message_->framing += taken;
            return taken;
        }
    }
    return message_->put(boost::asio::buffer(rest), error);
}

std::uint64_t ResponseParser::plain_left() const {
    const bool plain = has_head() && !message_->is_done() && !message_->inflater;
    return plain ? message_->content_length_remaining().value_or(0) : 0;
}

Result<ResponseParser::Progress> ResponseParser::pass(boost::asio::const_buffer data) {
    message_->passing = true;
    std::size_t used = 0;
    auto progress = feed(data, used);
    message_->passing = false;
    return progress;
}

Result<ResponseParser::Progress> ResponseParser::done() const {
    if (message_->inflater) {
        if (const auto whole = message_->inflater->finish(); !whole) {
            return whole.error();
        }
    }
    return Progress::done;
}

Result<ResponseParser::Progress> ResponseParser::feed_end() {
    boost::beast::error_code error;
    if (started_ && message_->is_header_done()) {
        message_->put_eof(error);
        if (!error && message_->is_done()) {
            return done();
        }
        return fail(Errc::protocol, fmt::format("ends inside its body, after {} bytes", message_->received));
    }
    return fail(Errc::protocol, "ends inside its head");
}

Error ResponseParser::explain(const boost::beast::error_code& error) const {
    if (message_->unpacking) {
        return *message_->unpacking;
    }
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
        return fail(Errc::response_too_large,
                    fmt::format("has a head, chunk heads or trailers over the limits of {} bytes and {} fields",
                                limits_.head_bytes, max_fields),
                    {{"limit_bytes", limits_.head_bytes}});
    }
    if (error == http::error::body_limit) {
        return fail(Errc::response_too_large, fmt::format("has a body over the limit of {} bytes", limits_.body_bytes),
                    {{"limit_bytes", limits_.body_bytes}});
    }
    if (!message_->broken.empty()) {
        return fail(Errc::protocol, message_->broken);
    }
    if (error == http::error::multiple_content_length) {
        return fail(Errc::protocol, "has more than one Content-Length, and they differ");
    }
    return fail(Errc::protocol, fmt::format("is not HTTP/1.1: {}", error.message()));
}

}  // namespace ktrdr
