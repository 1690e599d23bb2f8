#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/adapter/async_service_adapter.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/http/event_stream.hpp>
#include <ktrdr/training/host_answers.hpp>

namespace ktrdr {

/// The calls of the training host service's contract.
///
/// Errors: those of `AsyncServiceAdapter`, and `protocol` for answers that are none of the contract's.
/// Thread safety: as `AsyncServiceAdapter`; its destructor from any thread.
/// Lifetime: its end is the service's: connections are let go of when the last who uses it has gone.
class KTRDR_EXPORT TrainingAdapter final : private Counted<TrainingAdapter> {
public:
    explicit TrainingAdapter(std::shared_ptr<AsyncServiceAdapter> service) : service_(std::move(service)) {}
    TrainingAdapter(const TrainingAdapter&) = delete;
    TrainingAdapter& operator=(const TrainingAdapter&) = delete;
    ~TrainingAdapter() { service_->close(); }

    /// How a person gets a service, for messages.
    static constexpr const char* start_hint =
        "start one with `ktrdr-core serve training --port {port}`, or set TRAINING_HOST_SERVICE_URL to another's "
        "address "
        "(the argument training_url)";

    [[nodiscard]] const std::shared_ptr<AsyncServiceAdapter>& service() const noexcept { return service_; }
    [[nodiscard]] const std::string& url() const noexcept { return service_->get_base_url(); }

    /// Begin a session, once however often it is sent: the request has its id. The id that the host gives it.
    [[nodiscard]] boost::asio::awaitable<Result<StartedSession>> start(boost::json::object request,
                                                                       CallOptions options);
    [[nodiscard]] boost::asio::awaitable<Result<SessionSnapshot>> status(std::string session, CallOptions options);
    /// Ask a session to end; the host answers when it has.
    [[nodiscard]] boost::asio::awaitable<Result<void>> stop(std::string session, bool save_checkpoint,
                                                            CallOptions options);
    /// The figures of the epochs behind `cursor`, which moves on.
    [[nodiscard]] boost::asio::awaitable<Result<std::vector<boost::json::object>>> metrics(
        std::string session, std::shared_ptr<std::int64_t> cursor, CallOptions options);
    /// The bytes of the model's archive, which are those that the host has sent.
    [[nodiscard]] boost::asio::awaitable<Result<std::string>> model(std::string session, CallOptions options);
    /// What happens in a session; see `EventStream`.
    [[nodiscard]] std::shared_ptr<EventStream> events(const std::string& session, CallOptions options,
                                                      std::chrono::milliseconds patience);

private:
    const std::shared_ptr<AsyncServiceAdapter> service_;
};

}  // namespace ktrdr
