#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>
#include <memory>
#include <string>

#include <ktrdr/base/export.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/cancellation/token.hpp>
#include <ktrdr/http/client.hpp>

namespace ktrdr {

/// How a host service is reached.
struct HostServiceConfig {
    ClientOptions client{};
};

/// What a call may carry beside its data.
struct CallOptions {
    CancellationToken cancellation_token{};
    bool idempotent{false};
    /// Sent as `X-Operation-Id` and put into errors and log records; empty for none.
    std::string operation_id{};
};

struct ServiceHealth {
    bool healthy{false};
    boost::json::object detail{};
};

/// JSON calls to one host service over a pool. Base of the domains' adapters.
///
/// Errors: those of `HttpClient`, with "service" in their context; a status outside 2xx is `status` with the first 4
/// KiB of the body; an answer that is not JSON is `protocol`. No connection at all names the URL and how to start or
/// choose a service (`start_hint`). Thread safety: the io thread only.
class KTRDR_EXPORT AsyncServiceAdapter {
public:
    AsyncServiceAdapter(std::string service_name, std::string start_hint, std::shared_ptr<HttpClient> client);
    virtual ~AsyncServiceAdapter();

    [[nodiscard]] const std::string& service_name() const noexcept { return service_name_; }
    [[nodiscard]] const std::string& base_url() const noexcept { return client_->url(); }
    /// `endpoint` begins with '/' and may carry a query that is already encoded (see `encode_query`).
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::value>> call_get(std::string endpoint,
                                                                              CallOptions options);
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::value>> call_post(std::string endpoint,
                                                                               boost::json::value data,
                                                                               CallOptions options);
    /// `GET /health`, within 5 s.
    [[nodiscard]] boost::asio::awaitable<Result<ServiceHealth>> check_health(CallOptions options);
    [[nodiscard]] PoolStats stats() const { return client_->stats(); }

private:
    [[nodiscard]] boost::asio::awaitable<Result<boost::json::value>> call(Request request, CallOptions options);
    [[nodiscard]] Error no_answer(Error error, const CallOptions& options) const;
    std::string service_name_;
    std::string start_hint_;
    std::shared_ptr<HttpClient> client_;
};

/// What was asked, for errors.
struct Asked {
    std::string service{};
    std::string method{};
    /// Without query and user info.
    std::string url{};
};

/// What an answer with a status that is no success comes to: `status`, with the reason that the service gives, and in
/// its context the status, the first 4 KiB of the body and the attempts.
[[nodiscard]] KTRDR_EXPORT Error status_error(const Asked& asked, const Response& response);

/// What an answer whose body is not JSON comes to: `protocol`. `why` is the parser's word.
[[nodiscard]] KTRDR_EXPORT Error not_json_error(const Asked& asked, const Response& response, const std::string& why);

/// `?symbol=BRK%20B&timeframe=1d`; empty for no pairs.
[[nodiscard]] KTRDR_EXPORT std::string encode_query(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace ktrdr
