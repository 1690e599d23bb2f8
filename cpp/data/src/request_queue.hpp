#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/coroutines/gate.hpp>

namespace ktrdr {

/// Who waits for a request to a source.
struct Asker {
    /// What `RequestQueue::join` gave the load.
    std::uint64_t load{0};
    /// Those of higher ones go first.
    int priority{0};
    /// Most requests at once that the source takes for what is asked. At least 1.
    std::size_t most{1};
};

/// The one queue of all requests to a source, however many loads send them.
///
/// Three at a time to begin with; one more for each fast answer, up to what the source takes; half as many after a slow
/// one, or where the source says that it is asked too often. Of those that wait the highest priority goes first; among
/// equals the load with the fewest requests under way, then the one whose turn was longest ago: a load of two requests
/// never waits for one of two hundred. Turns are kept for lanes of a higher priority that are about to ask again: what
/// is of a lower one has what they leave.
///
/// Cancellation: a waiter whose token is cancelled leaves the queue with `cancelled` (or `timed_out`).
/// Thread safety: none; the io thread, on which tokens call back. Lifetime: turns keep it.
class RequestQueue final : public std::enable_shared_from_this<RequestQueue> {
public:
    /// A request under way, until it goes.
    class Turn final {
    public:
        Turn(std::shared_ptr<RequestQueue> queue, std::uint64_t load, std::uint64_t number) noexcept
            : queue_(std::move(queue)), load_(load), number_(number) {}
        Turn(const Turn&) = delete;
        Turn& operator=(const Turn&) = delete;
        ~Turn() { queue_->leave(load_); }

        /// Its answer was fast, or slow.
        void was_fast() const { queue_->raise(); }
        void was_slow() const { queue_->lower(number_); }

    private:
        const std::shared_ptr<RequestQueue> queue_;
        const std::uint64_t load_;
        const std::uint64_t number_;
    };

    /// What asks for one request after the other, of a load, until it goes.
    class Lane final {
    public:
        Lane(std::shared_ptr<RequestQueue> queue, Asker asker) : queue_(std::move(queue)), asker_(asker) { resume(); }
        Lane(const Lane&) = delete;
        Lane& operator=(const Lane&) = delete;
        ~Lane() { pause(); }

        /// It waits for another load, which may be one of a lower priority: no turn is kept for it then.
        void pause() { count(false); }
        void resume() { count(true); }

    private:
        void count(bool asks) {
            if (std::exchange(asks_, asks) != asks) {
                queue_->count_lane(asker_, asks);
            }
        }

        const std::shared_ptr<RequestQueue> queue_;
        const Asker asker_;
        bool asks_{false};
    };

    /// A load among those that are served in turn, until it goes.
    class Member final {
    public:
        Member(std::shared_ptr<RequestQueue> queue, std::uint64_t load) noexcept
            : queue_(std::move(queue)), load_(load) {}
        Member(const Member&) = delete;
        Member& operator=(const Member&) = delete;
        ~Member() { queue_->loads_.erase(load_); }
        [[nodiscard]] std::uint64_t load() const noexcept { return load_; }

    private:
        const std::shared_ptr<RequestQueue> queue_;
        const std::uint64_t load_;
    };

    /// It must outlive the turns of its load.
    [[nodiscard]] std::shared_ptr<Member> join();
    [[nodiscard]] boost::asio::awaitable<Result<std::shared_ptr<Turn>>> enter(Asker asker, CancellationToken token);

    [[nodiscard]] std::size_t at_once() const noexcept { return at_once_; }
    [[nodiscard]] std::size_t under_way() const noexcept { return under_way_; }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }

private:
    struct Waiter {
        Asker asker{};
        Gate gate{};
        bool granted{false};
        std::uint64_t number{0};
    };
    struct Load {
        std::size_t under_way{0};
        std::uint64_t last_turn{0};
        /// Of its lanes.
        int priority{0};
        std::size_t lanes{0};
    };
    using Waiters = std::list<std::shared_ptr<Waiter>>;

    void grant();
    void count_lane(Asker asker, bool asks);
    /// Turns of loads above this priority that will be asked for soon.
    [[nodiscard]] std::size_t kept_above(int priority) const;
    [[nodiscard]] Waiters::iterator next();
    void leave(std::uint64_t load);
    void raise();
    void lower(std::uint64_t number);

    std::size_t at_once_{3};
    std::size_t ceiling_{1};
    std::size_t under_way_{0};
    std::uint64_t turns_{0};
    std::uint64_t joined_{0};
    /// Requests that began later tell of the lower number.
    std::uint64_t lowered_at_{0};
    Waiters waiters_{};
    std::map<std::uint64_t, Load> loads_{};
};

}  // namespace ktrdr
