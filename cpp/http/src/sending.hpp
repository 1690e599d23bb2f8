#pragma once

#include <boost/asio/execution_context.hpp>
#include <boost/intrusive/list.hpp>
#include <memory>

#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/http/client.hpp>

#include "call.hpp"
#include "deadlines.hpp"

namespace ktrdr {

/// A call whose answer goes to a function, and what wakes it: its deadline, its token.
///
/// Lifetime: keeps itself until the function was called, or its loop is destroyed.
class Sending final
    : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>>,
      public std::enable_shared_from_this<Sending>,
      private CallOwner,
      private Deadlines::Entry {
public:
    Sending(std::shared_ptr<HttpClient> client, Deadlines& deadlines, ConnectionPool& pool, Request&& request,
            std::string&& target, ResponseHandler&& done);
    Sending(const Sending&) = delete;
    Sending& operator=(const Sending&) = delete;
    ~Sending() { deadlines_.remove(*this); }

    void start(const CancellationToken& token);
    /// Nobody is told.
    void drop() noexcept { self_.reset(); }

private:
    void call_changed() override;
    void due() override;

    std::shared_ptr<HttpClient> client_;
    Deadlines& deadlines_;
    ConnectionPool& pool_;
    ResponseHandler done_;
    std::shared_ptr<Sending> self_{};
    Call call_;
    /// Goes before the call does.
    CancelRegistration registration_{};
};

/// The calls that a loop has not finished: when it is destroyed they go with it.
class CallsInFlight final : public boost::asio::execution_context::service {
public:
    using key_type = CallsInFlight;

    explicit CallsInFlight(boost::asio::execution_context& context) : service(context) {}
    void add(Sending& sending) { calls_.push_back(sending); }

private:
    void shutdown() override;

    boost::intrusive::list<Sending, boost::intrusive::constant_time_size<false>> calls_{};
};

/// A call that a coroutine reads from.
class StreamCall final : private CallOwner {
public:
    StreamCall(ConnectionPool& pool, Request&& request, std::string&& target);

    /// Sleep until something has changed or its time is over. One at a time.
    [[nodiscard]] boost::asio::awaitable<void> changed();

private:
    void call_changed() override { timer_.cancel(); }
    IoTimer timer_;
    StreamedBody body_{};

public:
    Call call;
};

}  // namespace ktrdr
