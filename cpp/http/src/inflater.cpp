#include "inflater.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/core/string.hpp>
#include <limits>

namespace ktrdr {
namespace {

constexpr int any_wrapper = 32 + MAX_WBITS;
constexpr int no_wrapper = -MAX_WBITS;
constexpr std::string_view gzip_mark = "\x1f\x8b";

/// What RFC 9110 calls deflate has zlib's two bytes before it; some services leave them out.
bool is_wrapped(std::string_view packed) {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned>(static_cast<unsigned char>(packed[at])); };
    const bool gzip = byte(0) == 0x1f;
    const bool zlib = (byte(0) & 0x0fU) == 8 && (packed.size() < 2 || (byte(0) * 256 + byte(1)) % 31 == 0);
    return gzip || zlib;
}

}  // namespace

Inflater::~Inflater() {
    if (made_) {
        inflateEnd(&stream_);
    }
}

bool Inflater::knows(std::string_view coding) noexcept {
    constexpr std::array<std::string_view, 3> known{"gzip", "x-gzip", "deflate"};
    return std::any_of(known.begin(), known.end(),
                       [coding](std::string_view name) { return boost::beast::iequals(name, coding); });
}

Result<void> Inflater::begin(std::string_view packed) {
    if (state_ == State::between) {
        // Files that were packed one after the other are one body (RFC 1952, 2.2).
        inflateReset(&stream_);
    } else if (inflateInit2(&stream_, is_wrapped(packed) ? any_wrapper : no_wrapper) != Z_OK) {
        return fail(Errc::internal, "no memory to unpack the response");
    }
    made_ = true;
    gzip_ = packed.front() == gzip_mark.front();
    state_ = State::inside;
    return {};
}

Result<void> Inflater::go_on(std::string_view& packed, std::string& out, std::size_t limit) {
    const std::size_t size = std::min(packed.size(), gzip_mark.size() - next_.size());
    next_.append(packed.substr(0, size));
    packed.remove_prefix(size);
    if (!gzip_ || gzip_mark.substr(0, next_.size()) != next_) {
        state_ = State::over;
        return {};
    }
    if (next_.size() < gzip_mark.size()) {
        return {};
    }
    next_.clear();
    const auto begun = begin(gzip_mark);
    return begun ? feed(gzip_mark, out, limit) : begun;
}

Result<void> Inflater::feed(std::string_view packed, std::string& out, std::size_t limit) {
    std::array<char, 16UL * 1024> piece{};
    while (!packed.empty() && state_ != State::over) {
        if (state_ != State::inside) {
            const auto begun = state_ == State::fresh ? begin(packed) : go_on(packed, out, limit);
            if (!begun) {
                return begun.error();
            }
            continue;
        }
        const std::size_t size = std::min<std::size_t>(packed.size(), std::numeric_limits<uInt>::max());
        // zlib does not write to its input, it only says so without const.
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
        stream_.avail_in = static_cast<uInt>(size);
        int outcome = Z_OK;
        do {
            stream_.next_out = reinterpret_cast<Bytef*>(piece.data());
            stream_.avail_out = static_cast<uInt>(piece.size());
            outcome = inflate(&stream_, Z_NO_FLUSH);
            const std::size_t got = piece.size() - stream_.avail_out;
            if (got > limit - out.size()) {
                return fail(Errc::response_too_large, fmt::format("unpacks to more than the limit of {} bytes", limit),
                            {{"limit_bytes", limit}});
            }
            out.append(piece.data(), got);
            if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR) {
                return broken();
            }
        } while (outcome == Z_OK && (stream_.avail_in > 0 || stream_.avail_out == 0));
        packed.remove_prefix(size - stream_.avail_in);
        if (outcome == Z_STREAM_END) {
            state_ = State::between;
        } else if (outcome == Z_BUF_ERROR && stream_.avail_in > 0) {
            return broken();
        }
    }
    return {};
}

Result<void> Inflater::finish() const {
    if (state_ == State::inside) {
        return fail(Errc::protocol, "ends inside its packed body");
    }
    return {};
}

Error Inflater::broken() const {
    return fail(Errc::protocol, fmt::format("has a packed body that is broken: {}",
                                            stream_.msg != nullptr ? stream_.msg : "no reason"));
}

}  // namespace ktrdr
