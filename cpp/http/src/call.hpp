#pragma once

#include <optional>

#include <ktrdr/http/client.hpp>

#include "connection.hpp"
#include "connection_pool.hpp"
#include "retries.hpp"

namespace ktrdr {

/// One request from its start to the first of answer, failure, cancel, deadline, over as many attempts as it may have.
/// The coroutine only sleeps on `timer`.
///
/// Thread safety: the io thread only.
/// Lifetime: lives in the coroutine's frame; destroying it gives up whatever is under way.
class Call final : public PoolWaiter {
public:
    /// `target`: path and query.
    Call(ConnectionPool& pool, Request request, std::string target, bool streamed = false);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    void begin();
    [[nodiscard]] bool ended() const noexcept { return outcome_.has_value(); }
    /// To be called when the timer has woken the coroutine: ends the call when its time is over, begins the next
    /// attempt when the pause before it is.
    void check_time();
    /// Set the timer for the next sleep.
    void arm();
    [[nodiscard]] Result<Response> take();

    /// Of a streamed call: its head, which is there before the call has ended; null while it is not.
    [[nodiscard]] const Response* head() const noexcept { return head_ ? &*head_ : nullptr; }
    /// Why an ended call has no answer; none where it has one.
    [[nodiscard]] std::optional<Error> failure() const;
    /// Its reader wants no more of it: it ends with `client_closed`.
    void abandon();
    /// What has come of the body; more is read from then on.
    [[nodiscard]] std::string take_piece();

    void start(Connection& connection);
    void fail(Error error);
    void exchange_ended(Result<void> outcome, bool was_reused);
    void head_arrived();
    void piece_arrived() { timer.cancel(); }
    void cancel(const CancelReason& reason);

    IoTimer timer;

private:
    void attempt();
    [[nodiscard]] SteadyTime deadline() const;
    /// The attempt came to this: the end, or a pause.
    void attempt_ended(Result<Response> outcome);
    /// True when another attempt follows, after a pause.
    [[nodiscard]] bool pause_after(const Result<Response>& outcome);
    void give_up() noexcept;
    void finish(Result<Response> outcome);
    /// Without query.
    [[nodiscard]] std::string shown_url() const;
    [[nodiscard]] Error with_facts(Error error) const;
    [[nodiscard]] Error too_late(bool total) const;
    [[nodiscard]] Error no_connection(std::chrono::milliseconds limit) const;

    ConnectionPool& pool_;
    const Request request_;
    const std::string target_;
    SteadyTime started_;
    SteadyTime total_deadline_;
    Retries retries_;
    SteadyTime attempt_started_{};
    /// For a connection.
    SteadyTime waiting_since_{};
    /// When the pause between two attempts is over.
    std::optional<SteadyTime> paused_until_{};
    Exchange exchange_;
    /// Set while an exchange runs.
    Connection* connection_{nullptr};
    bool sent_again_{false};
    std::optional<Response> head_{};
    std::optional<Result<Response>> outcome_{};
};

}  // namespace ktrdr
