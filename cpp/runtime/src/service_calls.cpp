#include <ktrdr/runtime/service_calls.hpp>

#include <ktrdr/adapter/host_service.hpp>

#include "reply.hpp"

namespace ktrdr {
namespace asio = boost::asio;
namespace json = boost::json;
namespace {

/// The call's own token, a child of the one that was given.
CancellationToken take_token(Runtime& runtime, CallOptions& options) {
    options.cancellation_token = runtime.make_token(options.cancellation_token);
    return options.cancellation_token;
}

asio::awaitable<Result<JsonOutcomes>> run_batch(AsyncServiceAdapter* adapter, std::vector<ServiceCall> requests,
                                                CallOptions options, bool stop_at_error, BatchHandler on_part) {
    co_return co_await adapter->call_batch(std::move(requests), std::move(options), stop_at_error, std::move(on_part));
}

asio::awaitable<Result<json::value>> health(AsyncServiceAdapter* adapter, std::string endpoint,
                                            std::chrono::milliseconds timeout, std::chrono::milliseconds cache_ttl,
                                            CallOptions options) {
    auto found = co_await adapter->check_health(timeout, cache_ttl, std::move(options), std::move(endpoint));
    if (!found) {
        co_return std::move(found).error();
    }
    co_return to_json(*found);
}

}  // namespace

Result<std::shared_ptr<ServiceCalls>> ServiceCalls::create(Runtime& runtime, ServiceIdentity identity,
                                                           const HostServiceConfig& config) {
    auto adapter = make_service_adapter(runtime.host_service_means(), std::move(identity), config);
    if (!adapter) {
        return adapter.error();
    }
    return std::make_shared<ServiceCalls>(runtime, std::move(*adapter));
}

CancellationToken ServiceCalls::call(std::string endpoint, std::optional<json::value> data, CallOptions options,
                                     std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    CancellationToken token = take_token(runtime_, options);
    runtime_.io().post([adapter = adapter_, endpoint = std::move(endpoint), data = std::move(data),
                        options = std::move(options), to = ReplyTo{runtime_, std::move(mailbox), key}]() mutable {
        AsyncServiceAdapter& service = *adapter;
        JsonHandler done = [adapter, to](Result<json::value> answer) { to.post(std::move(answer)); };
        to.guard([&] {
            if (data) {
                service.call_post(std::move(endpoint), *data, std::move(options), std::move(done));
            } else {
                service.call_get(std::move(endpoint), std::move(options), std::move(done));
            }
        });
    });
    return token;
}

CancellationToken ServiceCalls::batch(std::vector<ServiceCall> requests, CallOptions options, bool stop_at_error,
                                      std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    CancellationToken token = take_token(runtime_, options);
    const ReplyTo to{runtime_, std::move(mailbox), key};
    reply_with(adapter_, to,
               [requests = std::move(requests), options = std::move(options), stop_at_error,
                to](AsyncServiceAdapter& adapter) mutable {
                   BatchHandler on_part = [to](JsonOutcomes part) { to.post_part(std::move(part)); };
                   return run_batch(&adapter, std::move(requests), std::move(options), stop_at_error,
                                    std::move(on_part));
               });
    return token;
}

CancellationToken ServiceCalls::check_health(std::string endpoint, std::chrono::milliseconds timeout,
                                             std::chrono::milliseconds cache_ttl, CallOptions options,
                                             std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    CancellationToken token = take_token(runtime_, options);
    reply_with(adapter_, {runtime_, std::move(mailbox), key},
               [endpoint = std::move(endpoint), timeout, cache_ttl,
                options = std::move(options)](AsyncServiceAdapter& adapter) mutable {
                   return health(&adapter, std::move(endpoint), timeout, cache_ttl, std::move(options));
               });
    return token;
}

std::shared_ptr<HttpEvents> ServiceCalls::events(std::string endpoint, std::string last_event_id, CallOptions options,
                                                 std::optional<std::chrono::milliseconds> patience) {
    CancellationToken token = take_token(runtime_, options);
    auto stream = adapter_->events(std::move(endpoint), std::move(last_event_id), std::move(options), patience);
    return std::make_shared<HttpEvents>(runtime_, std::move(stream), std::move(token));
}

}  // namespace ktrdr
