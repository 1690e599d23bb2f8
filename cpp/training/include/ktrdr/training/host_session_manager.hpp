#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/models/model_directory.hpp>
#include <ktrdr/operations/operation.hpp>
#include <ktrdr/training/training_adapter.hpp>
#include <ktrdr/training/training_context.hpp>
#include <ktrdr/training/training_progress.hpp>

namespace ktrdr {

/// How a session on a host is followed.
struct HostPace {
    /// Between two questions where nothing is streamed; it grows only while nothing changes.
    std::chrono::milliseconds first_pause{300};
    std::chrono::milliseconds longest_pause{2000};
    /// How long a host that was there may stay away.
    std::chrono::milliseconds patience{std::chrono::seconds{30}};
    /// How long a stop may take until the host's word.
    std::chrono::milliseconds stop_limit{std::chrono::seconds{10}};
};

/// What a session on a host needs.
struct HostSessionMeans {
    std::shared_ptr<TrainingAdapter> adapter{};
    /// Where a model is unpacked and written. It outlives the session.
    Executor& files;
    ModelDirectory models;
    HostPace pace{};
    /// Of a session that a client of before has followed: the last epoch that the operation has told. At least 0.
    std::int64_t told_epochs{0};
};

/// Has one training done by a host: starts the session under the operation's id, follows its events, asks for its
/// status where there are none, stops it when the operation is cancelled and waits for the host's word, and installs
/// the model.
///
/// A start is one session however often it is sent. So an operation that is resumed sends it again, hears the session
/// from its beginning, whether it still runs or has ended, and tells of what has not been told.
///
/// Errors: those of the calls; what the host says of a session that failed, with its code; `host_service` for one that
/// was stopped, interrupted or lost.
/// Cancellation: the operation's token ends every wait; the host is asked to stop then.
/// Thread safety: the io thread only.
class KTRDR_EXPORT HostSessionManager final : private Counted<HostSessionManager> {
public:
    HostSessionManager(TrainingRequest request, TrainingOperationContext context, HostSessionMeans means,
                       std::shared_ptr<Operation> operation);

    /// The result of training.md, "Result schema".
    [[nodiscard]] static boost::asio::awaitable<Result<boost::json::object>> run(
        std::shared_ptr<HostSessionManager> self);

private:
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::object>> train();
    [[nodiscard]] boost::asio::awaitable<Result<void>> begin();
    /// Until the host has told the session's end, or tells no more. The error of the stream otherwise.
    [[nodiscard]] boost::asio::awaitable<Result<void>> listen();
    [[nodiscard]] boost::asio::awaitable<Result<SessionSnapshot>> poll();
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::object>> collect(SessionSnapshot ended);
    [[nodiscard]] boost::asio::awaitable<Result<void>> install(boost::json::object& result);
    [[nodiscard]] boost::asio::awaitable<void> stop();
    [[nodiscard]] boost::asio::awaitable<bool> see_the_end(SteadyTime until);
    [[nodiscard]] boost::asio::awaitable<void> fetch_metrics();

    /// True for the session's last event.
    [[nodiscard]] bool hear(const ServerEvent& event);
    /// True where anything is new.
    [[nodiscard]] bool show(const SessionSnapshot& session);
    void add_epoch(const boost::json::object& epoch);
    void warn(const std::string& warning);
    /// Of what was asked for and a host may not know; `used` is what it says that it knows.
    void warn_of_passed_over(const std::vector<std::string>& used);
    [[nodiscard]] CallOptions call() const;
    [[nodiscard]] CallOptions call_to_stop() const;
    [[nodiscard]] Error lost(const Error& why) const;
    [[nodiscard]] Error ended_without_model(const SessionSnapshot& ended) const;

    const TrainingRequest request_;
    const TrainingOperationContext context_;
    const HostSessionMeans means_;
    const std::shared_ptr<Operation> operation_;
    TrainingProgressBridge bridge_;
    /// As the host calls it.
    std::string session_;
    /// When the host was heard last.
    SteadyTime last_word_{};
    RemoteSnapshot shown_{};
    std::int64_t told_epochs_;
    std::shared_ptr<std::int64_t> cursor_ = std::make_shared<std::int64_t>(0);
    std::set<std::string> warned_{};
};

}  // namespace ktrdr
