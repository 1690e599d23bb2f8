#include "sending.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace ktrdr {
namespace asio = boost::asio;

Sending::Sending(std::shared_ptr<HttpClient> client, Deadlines& deadlines, ConnectionPool& pool, Request&& request,
                 std::string&& target, ResponseHandler&& done)
    : client_(std::move(client)),
      deadlines_(deadlines),
      pool_(pool),
      done_(std::move(done)),
      call_(pool, std::move(request), std::move(target), *this) {}

void Sending::start(const CancellationToken& token) {
    self_ = shared_from_this();
    // Callbacks run on this thread too, and later.
    if (token.is_cancelled()) {
        call_.cancel(token.reason().value_or(CancelReason{}));
        return;
    }
    registration_ = token.on_cancel([this](const CancelReason& reason) { call_.cancel(reason); });
    call_.begin();
    if (!call_.ended()) {
        deadlines_.set(*this, call_.deadline());
    }
}

void Sending::call_changed() {
    if (!call_.ended()) {
        deadlines_.set(*this, call_.deadline());
        return;
    }
    deadlines_.remove(*this);
    // Not from here, where the pool is in the middle of something.
    asio::post(pool_.io().get_executor(), [self = std::move(self_)] {
        self->registration_ = {};
        self->done_(self->call_.take());
    });
}

void Sending::due() {
    call_.check_time();
    if (!call_.ended()) {
        deadlines_.set(*this, call_.deadline());
    }
}

void CallsInFlight::shutdown() {
    while (!calls_.empty()) {
        Sending& first = calls_.front();
        calls_.pop_front();
        first.drop();
    }
}

StreamCall::StreamCall(ConnectionPool& pool, Request&& request, std::string&& target)
    : timer_(pool.io().get_executor()), call(pool, std::move(request), std::move(target), *this, &body_) {}

asio::awaitable<void> StreamCall::changed() {
    timer_.expires_at(call.deadline());
    boost::system::error_code woken;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
}

}  // namespace ktrdr
