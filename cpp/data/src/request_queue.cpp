#include "request_queue.hpp"

#include <algorithm>
#include <tuple>

namespace ktrdr {

std::shared_ptr<RequestQueue::Member> RequestQueue::join() {
    loads_.try_emplace(++joined_);
    return std::make_shared<Member>(shared_from_this(), joined_);
}

boost::asio::awaitable<Result<std::shared_ptr<RequestQueue::Turn>>> RequestQueue::enter(Asker asker,
                                                                                        CancellationToken token) {
    if (const auto alive = token.check("waiting for a request to the source"); !alive) {
        co_return alive.error();
    }
    ceiling_ = std::max(ceiling_, asker.most);
    const auto waiter = std::make_shared<Waiter>();
    waiter->asker = asker;
    waiters_.push_back(waiter);
    grant();
    if (!waiter->granted) {
        const CancelRegistration registration = token.on_cancel([waiter](const CancelReason&) { waiter->gate.open(); });
        co_await waiter->gate.wait();
    }
    if (waiter->granted) {
        // Cancelled or not: whoever has a turn gives it back.
        co_return std::make_shared<Turn>(shared_from_this(), asker.load, waiter->number);
    }
    waiters_.remove(waiter);
    co_return token.check("waiting for a request to the source").error();
}

void RequestQueue::grant() {
    for (auto chosen = next(); chosen != waiters_.end(); chosen = next()) {
        const auto waiter = *chosen;
        waiters_.erase(chosen);
        Load& load = loads_.at(waiter->asker.load);
        ++load.under_way;
        load.last_turn = ++turns_;
        ++under_way_;
        waiter->number = turns_;
        waiter->granted = true;
        waiter->gate.open();
    }
}

RequestQueue::Waiters::iterator RequestQueue::next() {
    const auto rank = [this](const Waiter& waiter) {
        const Load& load = loads_.at(waiter.asker.load);
        return std::tuple(-static_cast<std::int64_t>(waiter.asker.priority), load.under_way, load.last_turn);
    };
    auto best = waiters_.end();
    for (auto one = waiters_.begin(); one != waiters_.end(); ++one) {
        const Asker& asker = (*one)->asker;
        const bool room = under_way_ < asker.most && under_way_ + kept_above(asker.priority) < at_once_;
        if (room && (best == waiters_.end() || rank(**one) < rank(**best))) {
            best = one;
        }
    }
    return best;
}

std::size_t RequestQueue::kept_above(int priority) const {
    std::size_t kept = 0;
    for (const auto& [number, load] : loads_) {
        if (load.priority > priority) {
            kept += load.lanes - std::min(load.lanes, load.under_way);
        }
    }
    return kept;
}

void RequestQueue::count_lane(Asker asker, bool asks) {
    const auto found = loads_.find(asker.load);
    if (found == loads_.end()) {
        return;
    }
    Load& load = found->second;
    load.priority = asker.priority;
    load.lanes += asks ? 1 : 0;
    load.lanes -= asks ? 0 : 1;
    grant();
}

void RequestQueue::leave(std::uint64_t load) {
    --under_way_;
    if (const auto found = loads_.find(load); found != loads_.end()) {
        --found->second.under_way;
    }
    grant();
}

void RequestQueue::raise() {
    at_once_ = std::min(at_once_ + 1, std::max<std::size_t>(ceiling_, 3));
    grant();
}

void RequestQueue::lower(std::uint64_t number) {
    // Requests that were under way together are slow together: that counts once.
    if (number >= lowered_at_) {
        at_once_ = std::max<std::size_t>(at_once_ / 2, 1);
        lowered_at_ = turns_ + 1;
    }
}

}  // namespace ktrdr
