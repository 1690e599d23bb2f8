#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/basic_resolver.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/body_pieces.hpp>
#include <ktrdr/http/message.hpp>
#include <ktrdr/http/options.hpp>

#include "io_timer.hpp"
#include "url.hpp"
#include "pool_core.hpp"
#include "response_parser.hpp"
#include "tls.hpp"
#include "upload_feed.hpp"

namespace ktrdr {

enum class Phase { pool, resolve, connect, tls, write, first_byte, between_bytes, retry };
[[nodiscard]] std::string_view to_string(Phase phase) noexcept;

enum class RequestSent { no, partly, whole };
[[nodiscard]] std::string_view to_string(RequestSent sent) noexcept;

class Call;

/// A body that is read as it comes.
struct StreamedBody {
    /// What came since they were taken.
    std::vector<std::string> pieces{};
    std::shared_ptr<PieceStore> store{std::make_shared<PieceStore>()};
};

/// One request on one connection, and what came of it.
struct Exchange {
    Call* call{nullptr};
    const Request* request{nullptr};
    std::string_view target{};
    /// When the whole call must be over.
    SteadyTime deadline{SteadyTime::max()};
    Response response{};
    Phase phase{Phase::pool};
    RequestSent sent{RequestSent::no};
    /// Some byte of the answer came.
    bool answered{false};
    /// The connection had carried another request before.
    bool reused{false};
    /// The service said something that nobody had asked for. Of an exchange that failed: what came was no answer to
    /// this request, or cannot be told from one.
    bool unasked{false};
    /// Null where the answer is wanted whole. Else `response` is the head, once `head_told`.
    StreamedBody* streamed{nullptr};
    bool head_told{false};
};

/// Addresses found for the pool's host, kept for a while.
struct AddressCache {
    std::vector<boost::asio::ip::tcp::endpoint> endpoints{};
    SteadyTime until{};
};

/// One socket: dials, carries one exchange after the other, notices when the peer goes away in between.
///
/// An open socket is always waited for. Until an answer begins nothing is taken from it before somebody looks, so that
/// whatever is there that nobody asked for is still there at the next reuse (`look`).
///
/// Thread safety: the io thread only.
/// Lifetime: pending handlers keep it alive; `close` cuts the tie to the owner and ends them.
/// Cost: one look, one write and one read call per small request, one timer that is armed again only when it has run
/// out.
class Connection final : public PoolMember,
                         public std::enable_shared_from_this<Connection>,
                         private Counted<Connection> {
public:
    /// What is there on a connection from which nothing is expected: nothing; its end; bytes.
    enum class Look { quiet, gone, spoke };
    /// The pool as the connection sees it. Every member may close the connection.
    class Owner {
    public:
        virtual ~Owner() = default;
        virtual void dial_ended(Connection& connection) = 0;
        virtual void dial_failed(Connection& connection, Error error) = 0;
        virtual void idle_lost(Connection& connection, Look why) = 0;
        /// Of a streamed exchange: its head is there, and then pieces of its body.
        virtual void head_arrived(Exchange& exchange) = 0;
        virtual void piece_arrived(Exchange& exchange) = 0;
        /// The exchange is over and forgotten here; `reusable` says whether another may follow.
        virtual void exchange_ended(Connection& connection, Exchange& exchange, Result<void> outcome,
                                    bool reusable) = 0;
    };
    struct Settings {
        const Origin& origin;
        const PoolOptions& options;
        const Timeouts& timeouts;
        AddressCache& addresses;
        /// Null for `http://`.
        const std::shared_ptr<TlsContext>& tls;
        /// Where uploads are read; null for a client that sends none.
        Executor* reads;
    };

    Connection(boost::asio::io_context& io, Owner& owner, Settings settings);
    void dial();
    /// Without waiting; to be asked before each reuse. Unless it is quiet the connection is of no more use.
    [[nodiscard]] Look look();
    /// Send the request and read its answer. The exchange stays where it is until it has ended or `close` was called.
    void start(Exchange& exchange, SteadyTime now);
    /// Put what has come of a streamed exchange into its `pieces`, which are taken now, and read on.
    void take_pieces();
    /// At once and for good; nobody is told.
    void close() noexcept;
    /// The same, but the owner hears of it: the dial or the exchange failed with `error`.
    void cut(Error error);

    /// An exchange was carried out before.
    [[nodiscard]] bool used() const noexcept { return used_; }
    /// It comes from its dial and has not lain idle.
    [[nodiscard]] bool is_fresh() const noexcept { return !used_ && idle_since == SteadyTime{}; }
    /// Its place in the owner's list.
    std::size_t index{0};

private:
    using Endpoint = boost::asio::ip::tcp::endpoint;
    using Resolver = boost::asio::ip::basic_resolver<boost::asio::ip::tcp, IoExecutor>;
    using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, IoExecutor>;
    enum class State { resolving, connecting, handshaking, open, closed };

    /// Run a step of it; what escapes is the end of the dial or the exchange.
    template <class Step>
    void guard(Step step) {
        try {
            step();
        } catch (...) {
            step_failed(caught("the connection"));
        }
    }
    void step_failed(Error error);
    void resolved(const boost::system::error_code& error, const Resolver::results_type& results);
    void connect_next();
    void connected(const boost::system::error_code& error);
    void shake_hands();
    void open();
    void dial_error(Errc code, std::string_view phase, const std::string& what, boost::json::object facts = {});
    /// What is left of the body, of an upload what is in hand.
    [[nodiscard]] std::string_view body_in_hand() const;
    void written(std::size_t bytes);
    [[nodiscard]] bool is_written() const;
    void write();
    void feed_upload();
    void upload_changed();
    void end_writing() noexcept;
    void write_plain(boost::system::error_code& error);
    void write_tls(boost::system::error_code& error);
    void flush(boost::system::error_code& error);
    void flush_handshake();
    /// Wait until there is something, and leave it there.
    void arm_wait();
    void readable();
    /// The same, and take it.
    void arm_read();
    [[nodiscard]] boost::asio::mutable_buffer read_buffer();
    void read(const boost::system::error_code& error, std::size_t bytes);
    void read_tls(const boost::system::error_code& error, std::size_t bytes);
    [[nodiscard]] Look look_behind_tls();
    /// What the first `bytes` of `cipher_in_` bring in plain, put into `buffer_`.
    [[nodiscard]] Result<std::size_t> decrypt(std::size_t bytes);
    void parse();
    /// Why what came cannot be told from an answer to another request; none where it can.
    [[nodiscard]] std::optional<Error> doubt_about(const Result<ResponseParser::Progress>& progress) const;
    /// What waits for the reader is enough.
    [[nodiscard]] bool is_full() const noexcept;
    /// What comes next can be read straight into a piece: nothing has to be taken out of it.
    [[nodiscard]] bool comes_straight() const;
    /// Do so with what is there. `error`: what a read came to, other than that there is nothing more.
    [[nodiscard]] Result<ResponseParser::Progress> read_pieces(boost::system::error_code& error);
    /// False when the exchange went away meanwhile.
    [[nodiscard]] bool hand_over_pieces();
    void collect_piece(StreamedBody& body);
    [[nodiscard]] std::size_t read_size() const;
    /// What an idle connection does not need.
    void release_memory();
    void read_error(const boost::system::error_code& error);
    void end(Result<void> outcome, bool reusable);
    void set_deadline(SteadyTime deadline);
    void arm_timer(SteadyTime when);
    void timer_fired();

    Owner* owner_;
    Settings settings_;
    Socket socket_;
    IoTimer timer_;
    std::optional<Resolver> resolver_{};
    State state_{State::resolving};
    bool used_{false};
    std::vector<Endpoint> endpoints_{};
    std::size_t next_endpoint_{0};
    boost::system::error_code connect_error_{};

    Exchange* exchange_{nullptr};
    std::optional<ResponseParser> parser_{};
    std::string head_{};
    std::size_t head_sent_{0};
    std::size_t body_sent_{0};
    bool writing_{false};
    /// Of a body that is read while it is sent.
    std::shared_ptr<UploadFeed> feed_{};
    /// All that is in hand of it is written.
    bool starved_{false};
    /// Of a streamed body, not taken yet.
    std::size_t gathered_{0};
    /// Nothing is read until that is taken.
    bool paused_{false};
    boost::beast::flat_buffer buffer_{};

    std::optional<TlsSession> tls_{};
    /// As it came, before it is decrypted.
    std::vector<char> cipher_in_{};
    /// Encrypted and to be sent, from `cipher_sent_` on.
    std::string cipher_out_{};
    std::size_t cipher_sent_{0};

    SteadyTime deadline_{SteadyTime::max()};
    SteadyTime timer_at_{SteadyTime::max()};
};

}  // namespace ktrdr
