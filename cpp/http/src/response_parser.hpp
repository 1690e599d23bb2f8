#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <ktrdr/base/result.hpp>
#include <ktrdr/http/message.hpp>

#include "inflater.hpp"

namespace ktrdr {

/// Reads one final response out of bytes as they come, and refuses what HTTP forbids but Beast lets through:
/// a transfer coding other than `chunked`, a length beside a transfer coding, endless trailers. Takes what others take
/// and what can be read in one way only: a status line that ends behind its number, blanks around a chunk's size, the
/// same length twice, bytes behind a packed body. Interim answers (1xx) are passed over.
///
/// Errors: `protocol` or `response_too_large`, in words that follow "the answer …"; after one the connection is
/// useless.
class ResponseParser final {
public:
    /// Of a body that is taken piece by piece.
    static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
    struct Limits {
        std::size_t head_bytes;
        std::size_t body_bytes;
        /// Unpack gzip and deflate; the limit of the body holds for what comes out, too.
        bool decode{false};
    };
    enum class Progress { need_more, done };

    ResponseParser(Limits limits, bool head_request);
    /// Consume from the front of `data`; `used` bytes of it are gone afterwards.
    [[nodiscard]] Result<Progress> feed(boost::asio::const_buffer data, std::size_t& used);
    /// What is left of a body that comes as it is: not in chunks, not packed, its length known. 0 for any other.
    [[nodiscard]] std::uint64_t plain_left() const;
    /// The next bytes of such a body, at most what is left of it, which the caller keeps.
    [[nodiscard]] Result<Progress> pass(boost::asio::const_buffer data);
    /// The peer has closed its side: the end of an answer without a length, else half an answer.
    [[nodiscard]] Result<Progress> feed_end();

    /// The body comes packed and leaves unpacked: up to a thousand times as long.
    [[nodiscard]] bool unpacks() const noexcept { return message_->inflater.has_value(); }
    /// What begins so may be an answer, as far as it goes.
    [[nodiscard]] static bool begins_like_answer(std::string_view bytes) noexcept;
    /// A status line was seen.
    [[nodiscard]] bool has_status() const noexcept { return interim_ > 0 || message_->response.status != 0; }
    /// Some byte of an answer was seen.
    [[nodiscard]] bool started() const noexcept { return started_; }
    [[nodiscard]] bool keep_alive() const { return message_->keep_alive(); }
    [[nodiscard]] Response take() { return std::move(message_->response); }
    /// The head of the final answer is there.
    [[nodiscard]] bool has_head() const { return message_->is_header_done() && message_->response.status / 100 != 1; }
    /// Status and headers alone; the body stays.
    [[nodiscard]] Response take_head() {
        return {.status = message_->response.status, .headers = std::move(message_->response.headers)};
    }
    [[nodiscard]] std::size_t body_size() const noexcept { return message_->response.body.size(); }
    /// What has come of the body since the last call; what follows is put into `next`, which is empty.
    [[nodiscard]] std::string take_body(std::string&& next = {}) {
        return std::exchange(message_->response.body, std::move(next));
    }

private:
    /// One head and body; an interim answer is followed by a new one.
    struct Message final : boost::beast::http::basic_parser<false> {
        using View = boost::beast::string_view;
        using Code = boost::beast::error_code;

        Message(Limits limits, bool head_request);
        void on_request_impl(boost::beast::http::verb, View, View, int, Code&) override {}
        void on_response_impl(int code, View reason, int version, Code& error) override;
        void on_field_impl(boost::beast::http::field name, View name_text, View value, Code& error) override;
        void on_header_impl(Code& error) override;
        void on_body_init_impl(const boost::optional<std::uint64_t>& length, Code& error) override;
        std::size_t on_body_impl(View body, Code& error) override;
        void on_chunk_header_impl(std::uint64_t size, View extensions, Code& error) override;
        std::size_t on_chunk_body_impl(std::uint64_t remain, View body, Code& error) override;
        void on_finish_impl(Code&) override {}

        /// What comes next is the size of a chunk.
        [[nodiscard]] bool is_before_chunk() const;

        Limits limits;
        bool head_request;
        bool in_head{true};
        unsigned fields{0};
        bool has_length{false};
        unsigned codings{0};
        bool only_chunked{true};
        /// Of the chunk that is read.
        std::uint64_t chunk_left{0};
        /// There are blanks around the sizes of chunks.
        bool sloppy{false};
        /// Bytes of framing: chunk sizes, their extensions, trailers.
        std::uint64_t framing{0};
        std::string broken{};
        /// The one content coding, where there is one that we know.
        std::string coding{};
        std::optional<Inflater> inflater{};
        std::optional<Error> unpacking{};
        /// As it came, packed or not.
        std::uint64_t received{0};
        /// The body's bytes are the caller's.
        bool passing{false};
        Response response{};
    };

    /// Give Beast what comes next, mended where it is stricter than there is need for; how much of `rest` that was.
    [[nodiscard]] std::size_t put(std::string_view rest, boost::beast::error_code& error);
    [[nodiscard]] bool is_interim() const noexcept;
    [[nodiscard]] Result<Progress> done() const;
    [[nodiscard]] Error explain(const boost::beast::error_code& error) const;

    Limits limits_;
    bool head_request_;
    bool started_{false};
    /// The head of a chunk is not whole yet.
    bool starved_{false};
    unsigned interim_{0};
    std::optional<Message> message_;
};

}  // namespace ktrdr
