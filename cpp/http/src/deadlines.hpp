#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/intrusive/set.hpp>
#include <memory>

#include <ktrdr/base/clock.hpp>

#include "io_timer.hpp"

namespace ktrdr {

/// Moments at which somebody wants to be called, over one timer that is set again only for an earlier one or when it
/// has run out: most calls end long before their time, and cost the timer nothing.
///
/// Thread safety: the io thread only.
/// Lifetime: an entry is the caller's, and must be removed before it goes.
/// Cost: O(1) where moments come in order, as equal limits make them; else O(log n).
class Deadlines final {
public:
    class Entry : public boost::intrusive::set_base_hook<> {
    public:
        /// It has left the list; it may be put back, or go.
        virtual void due() = 0;

    protected:
        ~Entry() = default;

    private:
        friend class Deadlines;
        SteadyTime when_{};
    };

    explicit Deadlines(boost::asio::io_context& io) : timer_(io.get_executor()) {}
    Deadlines(const Deadlines&) = delete;
    Deadlines& operator=(const Deadlines&) = delete;
    ~Deadlines() { *self_ = nullptr; }

    /// Put the entry in, or move it.
    void set(Entry& entry, SteadyTime when);
    void remove(Entry& entry) noexcept;

private:
    struct Earlier {
        bool operator()(const Entry& left, const Entry& right) const noexcept { return left.when_ < right.when_; }
    };

    void arm();
    void fire();

    boost::intrusive::multiset<Entry, boost::intrusive::compare<Earlier>> entries_{};
    IoTimer timer_;
    /// When the timer fires; `max` while it does not run.
    SteadyTime timer_at_{SteadyTime::max()};
    /// For the timer, which may fire after this is gone.
    std::shared_ptr<Deadlines*> self_{std::make_shared<Deadlines*>(this)};
};

}  // namespace ktrdr
