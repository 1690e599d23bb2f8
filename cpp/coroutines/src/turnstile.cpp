#include <ktrdr/coroutines/turnstile.hpp>

namespace ktrdr {

boost::asio::awaitable<Result<std::shared_ptr<Turnstile::Turn>>> Turnstile::enter(CancellationToken token) {
    if (free_ > 0) {
        --free_;
        co_return std::make_shared<Turn>(this);
    }
    const auto waiter = std::make_shared<Waiter>();
    queue_.push_back(waiter);
    {
        const CancelRegistration registration = token.on_cancel([waiter](const CancelReason&) { waiter->gate.open(); });
        co_await waiter->gate.wait();
    }
    if (waiter->granted) {
        // Cancelled or not: whoever has a turn gives it back.
        co_return std::make_shared<Turn>(this);
    }
    std::erase(queue_, waiter);
    co_return token.check("waiting for a free connection").error();
}

void Turnstile::leave() {
    if (queue_.empty()) {
        ++free_;
        return;
    }
    const auto next = std::move(queue_.front());
    queue_.pop_front();
    next->granted = true;
    next->gate.open();
}

}  // namespace ktrdr
