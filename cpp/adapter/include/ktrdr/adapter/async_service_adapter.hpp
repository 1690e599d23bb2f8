#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ktrdr/adapter/host_service_config.hpp>
#include <ktrdr/adapter/service_errors.hpp>
#include <ktrdr/base/clock.hpp>
#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/http/client.hpp>
#include <ktrdr/http/event_stream.hpp>
#include <ktrdr/operations/operation.hpp>

namespace ktrdr {

/// Who a host service is.
struct ServiceIdentity {
    /// As errors and log records name it.
    std::string name{};
    /// What kind of work it does: "data", "training"; may be empty.
    std::string type{};
    /// How a person gets one, put behind the error when there is no connection, `{port}` in it as the port of the base
    /// URL; may be empty.
    std::string start_hint{};
    std::string health_endpoint{"/health"};
    /// Sent with every request.
    Headers headers{};
};

/// Where a service's calls are carried out. Both must outlive the adapter.
struct ServiceThreads {
    /// The thread of the client's sockets.
    Executor& io;
    /// Large answers are decoded there, out of the way of other calls.
    Executor& compute;
};

/// What a call may carry beside its data.
struct CallOptions {
    CancellationToken cancellation_token{};
    /// When it must be over, if earlier than the configured timeout.
    std::optional<SteadyTime> deadline{};
    /// May be sent again though it is a POST.
    bool idempotent{false};
    /// Sent as `Idempotency-Key`; makes a POST one that may be sent again. Empty for none.
    std::string idempotency_key{};
    /// Goes before others that wait for a connection: for calls that stop work.
    bool urgent{false};
    /// Sent as `X-Operation-Id` and put into errors and log records; empty for none.
    std::string operation_id{};
    /// Whose event log hears of attempts that failed; may be empty.
    std::weak_ptr<Operation> operation{};
};

/// A call made on behalf of an operation: its token, its id, its event log.
[[nodiscard]] KTRDR_EXPORT CallOptions call_options_of(const std::shared_ptr<Operation>& operation);

/// One call of a batch.
struct ServiceCall {
    /// GET without data, else POST.
    std::string endpoint{};
    std::optional<boost::json::value> data{};
    bool idempotent{false};
    std::string idempotency_key{};
};

/// Where an answer goes that no coroutine waits for.
using JsonHandler = std::function<void(Result<boost::json::value>)>;
/// Where an answer goes that is not decoded.
using AnswerHandler = std::function<void(Result<Response>)>;
/// What came of some calls of a batch, in their order, and where a part of them goes: on the io thread.
using JsonOutcomes = std::vector<Result<boost::json::value>>;
using BatchHandler = std::function<void(JsonOutcomes)>;

struct ServiceHealth {
    bool healthy{false};
    /// What the service says of itself; empty where it did not answer.
    boost::json::object detail{};
    /// Why it is not healthy, where it did not say so itself.
    std::optional<Error> error{};
    /// When it was asked.
    UtcTime checked_at{};
    std::chrono::nanoseconds response_time{};
    /// An answer that was kept from before.
    bool cached{false};
};

/// `{"healthy", "detail", "error": null or {"code", "message"}, "checked_at", "response_time_ms", "cached"}`.
[[nodiscard]] KTRDR_EXPORT boost::json::value to_json(const ServiceHealth& health);

/// JSON calls to one host service over a pool. Base of the domains' adapters.
///
/// Each call says how much time is left (`X-Deadline-Ms`) and for which operation it is (`X-Operation-Id`); both stay
/// through retries.
/// Errors: those of `HttpClient`, with "service" and "operation_id" in their context; a status outside 2xx is
/// `status_error`; an answer that is not JSON is `protocol`. No connection at all names the URL and how to start or
/// choose a service (`start_hint`).
/// Thread safety: the io thread only, but for the getters, `stats`, `metrics` and `close`.
/// Lifetime: keep the adapter until every call has ended; it ends on the io thread (see `make_service_adapter`).
class KTRDR_EXPORT AsyncServiceAdapter : private Counted<AsyncServiceAdapter> {
public:
    AsyncServiceAdapter(ServiceIdentity identity, std::shared_ptr<HttpClient> client, ServiceThreads threads);
    virtual ~AsyncServiceAdapter();

    [[nodiscard]] const std::string& get_service_name() const noexcept { return identity_.name; }
    [[nodiscard]] const std::string& get_service_type() const noexcept { return identity_.type; }
    [[nodiscard]] const std::string& get_base_url() const noexcept { return client_->url(); }
    [[nodiscard]] const std::string& get_health_check_endpoint() const noexcept { return identity_.health_endpoint; }

    /// `endpoint` begins with '/' and may carry a query that is already encoded (see `encode_query`); any other is
    /// `invalid_argument`.
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::value>> call_get(std::string endpoint,
                                                                              CallOptions options);
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::value>> call_post(std::string endpoint,
                                                                               boost::json::value data,
                                                                               CallOptions options);
    /// The same for callers that are no coroutine: `done` is called once, on the io thread, and not before this has
    /// returned.
    void call_get(std::string endpoint, CallOptions options, JsonHandler done);
    void call_post(std::string endpoint, const boost::json::value& data, CallOptions options, JsonHandler done);
    /// The answer as it came, for callers who read other formats too: `accept` says which. A status outside 2xx is
    /// `status_error`, whatever its body; `json_answer` reads one that is JSON.
    [[nodiscard]] boost::asio::awaitable<Result<Response>> call_post_for(std::string accept, std::string endpoint,
                                                                         boost::json::value data, CallOptions options);
    [[nodiscard]] boost::asio::awaitable<Result<Response>> call_get_for(std::string accept, std::string endpoint,
                                                                        CallOptions options);
    /// Carry out many calls, as many at once as there are connections; the answers in the order of the requests. With
    /// `stop_at_error` the first failure cancels what has not ended. Where `on_part` is given it gets them in parts, in
    /// that order and while others are under way; what is returned is the last part.
    [[nodiscard]] boost::asio::awaitable<JsonOutcomes> call_batch(std::vector<ServiceCall> requests,
                                                                  CallOptions options, bool stop_at_error,
                                                                  BatchHandler on_part = {});
    /// Server-sent events of an endpoint; `last_event_id` may be empty. `patience` is that of `EventStream`: without it
    /// as long as the operation has time.
    [[nodiscard]] std::shared_ptr<EventStream> events(std::string endpoint, std::string last_event_id,
                                                      CallOptions options,
                                                      std::optional<std::chrono::milliseconds> patience = std::nullopt);
    /// Ask the health endpoint, within `timeout` and before calls that wait; an answer younger than `cache_ttl` is
    /// given again. A service that does not answer is not healthy; the only error is a cancel. `endpoint` is asked in
    /// place of the identity's where it is not empty.
    [[nodiscard]] boost::asio::awaitable<Result<ServiceHealth>> check_health(std::chrono::milliseconds timeout,
                                                                             std::chrono::milliseconds cache_ttl,
                                                                             CallOptions options,
                                                                             std::string endpoint = {});
    /// Most requests under way at once.
    [[nodiscard]] std::size_t max_connections() const noexcept { return client_->options().pool.max_connections; }
    /// How the service is reached.
    [[nodiscard]] HostServiceConfig config() const { return config_of(client_->options()); }
    [[nodiscard]] PoolStats stats() const { return client_->stats(); }
    [[nodiscard]] ClientMetrics metrics() const { return client_->metrics(); }
    /// Soon: calls are refused, those that wait fail, idle connections close. Those in flight end by themselves.
    void close();

private:
    struct Batch;
    struct LargeAnswer;
    [[nodiscard]] Request make_request(std::string method, std::string endpoint, const CallOptions& options,
                                       std::string accept) const;
    [[nodiscard]] Request make_post(std::string endpoint, const boost::json::value& data, const CallOptions& options,
                                    std::string accept) const;
    /// The answer, or what a status that is no success comes to.
    [[nodiscard]] Result<Response> successful(Result<Response> response, Asked asked) const;
    void call(Request request, CallOptions options, JsonHandler done);
    void send(Request request, CallOptions options, AnswerHandler done);
    void decode_elsewhere(Asked asked, Response response, const CancellationToken& token, JsonHandler done) const;
    [[nodiscard]] Error no_answer(Error error) const;
    /// Begin the next call of a lane, or end the lane.
    void call_next(const std::shared_ptr<Batch>& batch);
    [[nodiscard]] Error with_facts(Error error, const std::string& operation_id) const;

    ServiceIdentity identity_;
    std::shared_ptr<HttpClient> client_;
    ServiceThreads threads_;
    std::optional<ServiceHealth> health_{};
    SteadyTime health_checked_{};
};

/// `?symbol=BRK%20B&timeframe=1d`; empty for no pairs.
[[nodiscard]] KTRDR_EXPORT std::string encode_query(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace ktrdr
