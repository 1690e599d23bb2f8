#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/fork.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/coroutines/gate.hpp>
#include <ktrdr/coroutines/turnstile.hpp>
#include <ktrdr/data/bar_source.hpp>
#include <ktrdr/runtime/mailbox.hpp>

namespace ktrdr {

/// What a source is asked.
struct SourceQuestion {
    enum class Kind { validate_symbol, first_timestamp, fetch };
    Kind kind{Kind::fetch};
    std::string symbol{};
    Timeframe timeframe;
    /// Of a fetch.
    TimeRange segment{};
    SeriesKind series{};
    /// The periods of its bars.
    BarGrid grid{timeframe};
    /// The same in words: messages begin with it.
    std::string asked{};
};

[[nodiscard]] KTRDR_EXPORT std::string_view to_string(SourceQuestion::Kind kind) noexcept;

/// A question on its way to who answers it, on another thread.
///
/// Thread safety: every member from any thread. Lifetime: where the last holder lets go of it unanswered, that is the
/// answer: nobody waits for ever. Cancellation: `token` is cancelled when nobody waits for the answer any more.
class KTRDR_EXPORT SourceAsk final : private Counted<SourceAsk> {
public:
    /// What a known symbol stands for, the oldest bar's start or none, bars.
    using Value = std::variant<Contract, std::optional<UtcTime>, SourceAnswer>;
    /// What the asking coroutine waits for.
    struct Pending {
        std::mutex mutex{};
        std::optional<Result<Value>> outcome{};
        /// Opened on the io thread only.
        Gate gate{};
    };

    using Warn = std::function<void(const std::string&)>;

    SourceAsk(SourceQuestion question, CancellationToken token, std::shared_ptr<Pending> pending, Warn warn,
              Executor& io, const Clock& clock)
        : question_(std::move(question)),
          token_(std::move(token)),
          pending_(std::move(pending)),
          warn_(std::move(warn)),
          io_(io),
          clock_(clock) {}
    SourceAsk(const SourceAsk&) = delete;
    SourceAsk& operator=(const SourceAsk&) = delete;
    ~SourceAsk();

    [[nodiscard]] const SourceQuestion& question() const noexcept { return question_; }
    [[nodiscard]] const CancellationToken& token() const noexcept { return token_; }
    /// Tell whoever asked what a person should know, while it is worked on; nothing once it is answered.
    void warn(const std::string& text);
    /// The first answer counts. One that is not what the question asks for, or that `checked_answer` refuses, counts as
    /// that error.
    void answer(Result<Value> given);

private:
    [[nodiscard]] Result<Value> checked(Value given) const;
    void settle(Result<Value> outcome);

    const SourceQuestion question_;
    const CancellationToken token_;
    const std::shared_ptr<Pending> pending_;
    const Warn warn_;
    Executor& io_;
    const Clock& clock_;
    const unsigned forks_{forks_so_far()};
};

/// What is known of a source before it is asked anything.
struct SourceProfile {
    /// Under which its bars are stored; 1 to 64 printable characters.
    std::string provider{};
    /// Stands for it in messages: its class.
    std::string name{};
    /// By the timeframe's name; of one that is in neither, the limits are the usual ones.
    std::map<std::string, SourceLimits> limits{};
    /// Timeframes that it does not have: each question about them ends so.
    std::map<std::string, Error> refused{};
    /// How long a question may take. Positive.
    std::chrono::nanoseconds patience{std::chrono::minutes{2}};
    /// Whether it can be told which bars to show, and of which hours; else it has the usual ones.
    bool takes_shows{false};
    bool takes_sessions{false};
};

/// Errors: `invalid_argument` naming the field, its value and the rule.
[[nodiscard]] KTRDR_EXPORT Result<void> check_profile(const SourceProfile& profile);

/// A source whose questions go to a mailbox, as `SourceAsk` in a reply's part under `key`; once it is gone, a
/// `finished`.
///
/// No more questions are on their way at once than the largest `max_in_flight` says, of all loads together.
/// Cancellation: a question ends at once, whatever who answers it does.
/// Errors: what the answer says; `service_timeout` past the profile's patience.
/// Thread safety: coroutines run on the io thread.
/// Lifetime: executor and clock must outlive it and every question.
class KTRDR_EXPORT AskedSource final : public BarSource, private Counted<AskedSource> {
public:
    AskedSource(SourceProfile profile, std::shared_ptr<Mailbox> mailbox, std::uint64_t key, Executor& io,
                const Clock& clock);
    AskedSource(const AskedSource&) = delete;
    AskedSource& operator=(const AskedSource&) = delete;
    ~AskedSource() override;

    [[nodiscard]] std::string provider() const override { return profile_.provider; }
    [[nodiscard]] SourceLimits describe(const Timeframe& timeframe) const override;
    [[nodiscard]] Result<void> check_kind(const SeriesKind& kind) const override;
    [[nodiscard]] boost::asio::awaitable<Result<Contract>> validate_symbol(std::string symbol, Timeframe timeframe,
                                                                           SourceCall call) override;
    [[nodiscard]] boost::asio::awaitable<Result<std::optional<UtcTime>>> first_timestamp(std::string symbol,
                                                                                         Timeframe timeframe,
                                                                                         SourceCall call) override;
    [[nodiscard]] boost::asio::awaitable<Result<SourceAnswer>> fetch(std::string symbol, Timeframe timeframe,
                                                                     TimeRange segment, SourceCall call) override;

private:
    [[nodiscard]] boost::asio::awaitable<Result<SourceAsk::Value>> ask(SourceQuestion question, SourceCall call);
    [[nodiscard]] SourceQuestion question(SourceQuestion::Kind kind, std::string symbol, const Timeframe& timeframe,
                                          TimeRange segment, const SeriesKind& series) const;

    const SourceProfile profile_;
    const std::shared_ptr<Mailbox> mailbox_;
    const std::uint64_t key_;
    Executor& io_;
    const Clock& clock_;
    Turnstile turns_;
    const unsigned forks_{forks_so_far()};
};

}  // namespace ktrdr
