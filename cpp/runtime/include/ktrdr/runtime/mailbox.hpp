#pragma once

#include <boost/json/value.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/http/body_pieces.hpp>
#include <ktrdr/http/event_stream.hpp>
#include <ktrdr/http/message.hpp>
#include <ktrdr/operations/operation.hpp>
#include <ktrdr/progress/state.hpp>

namespace ktrdr {

class HttpStream;
class SourceAsk;
struct SourceReply;

/// What a call brings: JSON, the outcomes of a batch of calls, an answer, a stream, pieces of one, events, what a
/// source is asked, or what one has answered.
using Reply = std::variant<boost::json::value, std::vector<Result<boost::json::value>>, Response,
                           std::shared_ptr<HttpStream>, std::shared_ptr<BodyPieces>, std::vector<ServerEvent>,
                           std::shared_ptr<SourceAsk>, std::shared_ptr<SourceReply>>;

/// One thing that Python has to hear, as plain data. `key` is the listener's own number.
struct Mail {
    /// `events`: the operation's event log has grown. `part`: of a reply that follows.
    enum class Kind { progress, events, finished, part, reply };
    Kind kind{Kind::finished};
    std::uint64_t key{0};
    ProgressState progress{};
    std::optional<Result<Reply>> reply{};
};

/// The end of a call.
template <class Value>
[[nodiscard]] Mail reply_mail(std::uint64_t key, Result<Value> outcome) {
    Mail mail{Mail::Kind::reply, key, {}, {}};
    if (outcome) {
        mail.reply.emplace(boost::system::in_place_value, std::in_place_type<Value>, std::move(*outcome));
    } else {
        mail.reply.emplace(boost::system::in_place_error, std::move(outcome).error());
    }
    return mail;
}

/// The way from our threads to one event loop (or one thread that waits): a list and a file descriptor to watch.
///
/// Posting wakes only when the list was empty, so a burst is one wake-up. Of several progress states of one step that
/// nobody took yet only the newest is kept, and of several `events` one.
/// Thread safety: every member from any thread.
class KTRDR_EXPORT Mailbox final : private Counted<Mailbox> {
public:
    Mailbox();
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;
    ~Mailbox();

    /// Readable while something is waiting. Owned by the mailbox.
    [[nodiscard]] int fd() const noexcept { return fd_; }
    void post(Mail mail);
    /// The same without waking the owner; true where `wake` must follow.
    [[nodiscard]] bool post_quietly(Mail mail);
    /// Make the descriptor readable without mail, so that the owner looks for log records.
    void wake() noexcept;
    /// What has come, oldest first, at most `limit` of it; the descriptor is quiet afterwards unless there is more.
    [[nodiscard]] std::vector<Mail> take(std::size_t limit = std::numeric_limits<std::size_t>::max());
    /// Block until there is mail or `timeout` has passed; also returns on a signal. True when there may be mail.
    bool wait_for(std::chrono::milliseconds timeout) const noexcept;

private:
    int fd_;
    std::mutex mutex_;
    std::vector<Mail> mails_{};
};

/// Brings an operation's news to a mailbox under a key.
class KTRDR_EXPORT MailboxListener final : public OperationListener, private Counted<MailboxListener> {
public:
    MailboxListener(std::shared_ptr<Mailbox> mailbox, std::uint64_t key, bool progress, bool events = false)
        : mailbox_(std::move(mailbox)), key_(key), progress_(progress), events_(events) {}
    void on_progress(const ProgressState& state) override;
    void on_events() override;
    void on_finished() override;
    [[nodiscard]] bool wants_progress() const override { return progress_; }
    [[nodiscard]] bool wants_events() const override { return events_; }

private:
    std::shared_ptr<Mailbox> mailbox_;
    std::uint64_t key_;
    bool progress_;
    bool events_;
};

}  // namespace ktrdr
