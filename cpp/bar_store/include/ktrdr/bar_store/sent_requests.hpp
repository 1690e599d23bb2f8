#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/storage/database.hpp>

namespace SQLite {
class Statement;
}

namespace ktrdr {

/// How often a provider may be asked for small bars; the numbers are those that IB documents.
struct PacingRules {
    /// The same request is not made again within this time.
    std::chrono::nanoseconds same_again{std::chrono::seconds{15}};
    /// Fewer than so many requests of one series within `burst_within`. At least 2.
    std::size_t burst{6};
    std::chrono::nanoseconds burst_within{std::chrono::seconds{2}};
    /// At most so many requests, by their weights, within `window`. At least 2.
    int most{60};
    std::chrono::nanoseconds window{std::chrono::minutes{10}};
    /// At most so many requests without an answer. The provider takes 50 for bars of any length, and those for longer
    /// bars are not counted here: a program's loads have 8 at most, so five programs have room beside these. At
    /// least 1.
    std::size_t most_open{10};
    /// How soon to look again where that is what a request waits for: nobody knows when an answer comes.
    std::chrono::nanoseconds open_again{std::chrono::milliseconds{50}};
    /// A request has reached the provider so long after it was sent at the latest, whatever became of its sender.
    std::chrono::nanoseconds arrives_within{std::chrono::seconds{60}};
    /// So much of each time is waited beside it: two machines' clocks do not go alike.
    double margin{0.001};
};

/// By what the times of requests are told: one clock for all processes of a machine, which nobody sets.
struct PacingClock {
    /// Differs after each start of the machine, when the clock begins anew.
    std::string boot{};
    /// Time since the machine's start.
    std::function<std::chrono::nanoseconds()> now{};
    /// How many times as fast as time it goes; other than 1 in tests.
    double speed{1.0};

    /// Errors: `configuration` where the machine does not say which start it runs since.
    [[nodiscard]] static KTRDR_EXPORT Result<PacingClock> of_machine(double speed = 1.0);
};

/// What one account of a provider was asked lately, by every process that has the database open, and when it may be
/// asked next: the provider counts no request too many.
///
/// A provider counts when a request reaches it, which is not when it was sent. So each has two times: it was not there
/// before it was sent, and it was there when its answer came. Between the two it counts as just arrived. One that is
/// never told of again, as its sender died, is taken to have arrived after `arrives_within`.
///
/// Errors: as those of `Database`. Thread safety: every member from any thread, and several processes.
class KTRDR_EXPORT SentRequests final : private Counted<SentRequests> {
public:
    [[nodiscard]] static Schema schema() noexcept;

    /// `account`: whose rules they are; texts of up to 4 KiB.
    SentRequests(std::shared_ptr<Database> database, std::string account, PacingClock clock, PacingRules rules = {});

    struct Request {
        /// Equal for equal requests.
        std::string request{};
        /// Equal for those that count as one contract, exchange and kind of price.
        std::string series{};
        /// As how many it counts within the window. 1 to `PacingRules::most`.
        int weight{1};
    };
    struct Turn {
        /// Names the request, which is to be sent now; 0 where it is to wait.
        std::int64_t ticket{0};
        /// How long at least, by the machine's time, before it is asked anew.
        std::chrono::nanoseconds wait{0};
        /// It waits for the window, or for an answer: so would any other.
        bool for_all{false};
    };
    /// Ask for a turn. What is given one is noted, on the disk, before this answers.
    [[nodiscard]] Result<Turn> enter(const Request& request);
    /// The answer is there, or nothing of the request is on its way any more.
    Result<void> arrived(std::int64_t ticket);
    /// It was not sent at all.
    Result<void> not_sent(std::int64_t ticket);

private:
    /// From when on a request may be made; now at the earliest.
    struct Allowed {
        std::chrono::nanoseconds from{0};
        /// The part of the window and of open requests in it.
        std::chrono::nanoseconds for_all{0};
    };
    [[nodiscard]] std::chrono::nanoseconds longer(std::chrono::nanoseconds time) const;
    void bind_times(SQLite::Statement& row, std::chrono::nanoseconds now) const;
    void forget_old(SQLite::Database& connection, std::chrono::nanoseconds now) const;
    [[nodiscard]] Allowed allowed(SQLite::Database& connection, const Request& request,
                                  std::chrono::nanoseconds now) const;

    const std::shared_ptr<Database> database_;
    const std::string account_;
    const PacingClock clock_;
    const PacingRules rules_;
};

}  // namespace ktrdr
