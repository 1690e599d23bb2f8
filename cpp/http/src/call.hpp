#pragma once

#include <memory>
#include <optional>

#include <ktrdr/base/live.hpp>
#include <ktrdr/http/client.hpp>

#include "connection.hpp"
#include "connection_pool.hpp"
#include "retries.hpp"

namespace ktrdr {

/// Who waits for a call.
class CallOwner {
public:
    /// The call has ended, its head or a piece has come, or it must be looked at earlier (`Call::deadline`). The call
    /// must not be destroyed from here.
    virtual void call_changed() = 0;

protected:
    ~CallOwner() = default;
};

/// One request from its start to the first of answer, failure, cancel, deadline, over as many attempts as it may have.
///
/// Thread safety: the io thread only.
/// Lifetime: its owner's; destroying it gives up whatever is under way.
class Call final : public PoolWaiter, private Counted<Call> {
public:
    /// `target`: path and query.
    Call(ConnectionPool& pool, Request&& request, std::string&& target, CallOwner& owner,
         StreamedBody* streamed = nullptr);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    void begin();
    [[nodiscard]] bool ended() const noexcept { return outcome_.has_value(); }
    /// When `check_time` must be called.
    [[nodiscard]] SteadyTime deadline() const;
    /// Ends the call when its time is over, begins the next attempt when the pause before it is.
    void check_time();
    [[nodiscard]] Result<Response> take();

    /// Of a streamed call: its head, which is there before the call has ended; null while it is not.
    [[nodiscard]] const Response* head() const noexcept { return head_.get(); }
    /// Why an ended call has no answer; none where it has one.
    [[nodiscard]] std::optional<Error> failure() const;
    /// Its reader wants no more of it: it ends with `client_closed`.
    void abandon();
    /// What has come of the body; more is read from then on.
    [[nodiscard]] BodyPieces take_pieces();

    void start(Connection& connection);
    void fail(Error error);
    void exchange_ended(Result<void> outcome, bool was_reused);
    void head_arrived();
    void piece_arrived() { owner_.call_changed(); }
    void cancel(const CancelReason& reason);

private:
    void attempt(SteadyTime now);
    /// The attempt came to this: the end, or a pause.
    void attempt_ended(Result<Response>&& outcome);
    /// True when another attempt follows, after a pause.
    [[nodiscard]] bool pause_after(const Result<Response>& outcome);
    void give_up() noexcept;
    void finish(Result<Response>&& outcome);
    /// Without query.
    [[nodiscard]] std::string shown_url() const;
    [[nodiscard]] Error with_facts(Error error) const;
    [[nodiscard]] Error too_late(bool total) const;
    [[nodiscard]] Error no_connection(std::chrono::milliseconds limit) const;

    ConnectionPool& pool_;
    CallOwner& owner_;
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
    /// Apart, for most calls have none, and a call of up to 1 KiB is cheap to allocate.
    std::unique_ptr<const Response> head_{};
    std::optional<Result<Response>> outcome_{};
};

}  // namespace ktrdr
