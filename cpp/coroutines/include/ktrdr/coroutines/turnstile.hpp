#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <deque>
#include <memory>

#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/coroutines/gate.hpp>

namespace ktrdr {

/// Lets a number of coroutines through at a time; the others wait in order.
///
/// A pool of connections gives a waiter only seconds; a queue of loads may have to wait for minutes.
/// Cancellation: a waiter whose token is cancelled leaves the queue with `cancelled` (or `timed_out`).
/// Thread safety: none; the io thread only, on which tokens call back.
/// Lifetime: must outlive every turn.
class Turnstile final {
public:
    /// Keeps its place until it goes.
    class Turn final {
    public:
        explicit Turn(Turnstile* turnstile) noexcept : turnstile_(turnstile) {}
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn() { turnstile_->leave(); }

    private:
        Turnstile* turnstile_;
    };

    /// `limit` at least 1.
    explicit Turnstile(std::size_t limit) : free_(limit) {}
    [[nodiscard]] boost::asio::awaitable<Result<std::shared_ptr<Turn>>> enter(CancellationToken token);
    [[nodiscard]] std::size_t waiting() const noexcept { return queue_.size(); }

private:
    struct Waiter {
        Gate gate{};
        bool granted{false};
    };
    void leave();

    std::size_t free_;
    std::deque<std::shared_ptr<Waiter>> queue_{};
};

}  // namespace ktrdr
