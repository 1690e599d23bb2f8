#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/training/training_context.hpp>
#include <ktrdr/training/training_progress.hpp>

namespace ktrdr {

/// The contract's states; a host that says `initialized` has not begun either.
enum class SessionState { initializing, running, completed, failed, stopped };

[[nodiscard]] constexpr bool has_ended(SessionState state) noexcept {
    return state == SessionState::completed || state == SessionState::failed || state == SessionState::stopped;
}

/// A session as its host describes it. What only our own service says is empty or false for others.
struct SessionSnapshot {
    SessionState state{SessionState::initializing};
    RemoteSnapshot progress{};
    /// One object an epoch, from the lists in which some hosts keep their metrics; empty for the last values alone.
    std::vector<boost::json::object> epochs{};
    std::string error{};
    std::string error_code{};
    std::vector<std::string> warnings{};
    /// The unified result of a completed session.
    std::optional<boost::json::object> result{};
    /// The service ended while it trained.
    bool interrupted{false};
    /// Its figures epoch by epoch, and its model, can be asked for.
    bool has_additions{false};
};

/// What the host answered to a start.
struct StartedSession {
    std::string id{};
    /// The keys of the request's configurations that count for the session; only our own service says so.
    std::vector<std::string> used{};
};

/// What `POST /training/start` sends: the strategy itself, for a path means nothing on another machine.
///
/// What is as it is by default is left out, so that a host which knows only the contract's table sees nothing else.
[[nodiscard]] KTRDR_EXPORT boost::json::object start_request(const TrainingRequest& request,
                                                             const TrainingOperationContext& context,
                                                             const std::string& session_id);
/// Of what a start asks for, what the contract's table does not know and a host may pass over, as `name=value`; `used`
/// is what it says that it has acted upon.
[[nodiscard]] KTRDR_EXPORT std::vector<std::string> passed_over(const TrainingRequest& request,
                                                                const std::vector<std::string>& used);
/// The answer to a start. `protocol` where it has no id.
[[nodiscard]] KTRDR_EXPORT Result<StartedSession> read_started(const boost::json::value& answer);
/// The answer to `GET /training/status/{id}`; states are compared without case. `protocol` for a state that nobody
/// knows.
[[nodiscard]] KTRDR_EXPORT Result<SessionSnapshot> read_session(const boost::json::value& answer);
/// The content of a progress event: `progress` and `metrics` of a status.
[[nodiscard]] KTRDR_EXPORT RemoteSnapshot read_remote_progress(const boost::json::object& told);
/// The epoch that a metric is of; nothing for one that has none.
[[nodiscard]] KTRDR_EXPORT std::optional<std::int64_t> epoch_of(const boost::json::object& metric);
/// The result schema for a host that knows only the contract's table: what it said, and null for the rest.
[[nodiscard]] KTRDR_EXPORT boost::json::object result_of_table(const SessionSnapshot& session,
                                                               const TrainingOperationContext& context);

}  // namespace ktrdr
