#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ktrdr/adapter/async_service_adapter.hpp>
#include <ktrdr/adapter/host_service_config.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/live.hpp>
#include <ktrdr/runtime/http_calls.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>

namespace ktrdr {

/// An `AsyncServiceAdapter` for callers that are not on the io thread: answers come as mail. The token that a call
/// answers is a child of the one in its options, and stops it.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT ServiceCalls final : private Counted<ServiceCalls> {
public:
    /// `configuration` for a config that cannot be, and one without a base URL.
    [[nodiscard]] static Result<std::shared_ptr<ServiceCalls>> create(Runtime& runtime, ServiceIdentity identity,
                                                                      const HostServiceConfig& config);
    /// Over the pool of an adapter that others use, too.
    ServiceCalls(Runtime& runtime, std::shared_ptr<AsyncServiceAdapter> adapter)
        : runtime_(runtime), adapter_(std::move(adapter)) {}

    /// GET without data, else POST with it as JSON; the reply is the answer's JSON.
    CancellationToken call(std::string endpoint, std::optional<boost::json::value> data, CallOptions options,
                           std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    /// Parts, and the last of them as the reply: an outcome for each request, in their order.
    CancellationToken batch(std::vector<ServiceCall> requests, CallOptions options, bool stop_at_error,
                            std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    /// The reply is `to_json(ServiceHealth)`.
    CancellationToken check_health(std::string endpoint, std::chrono::milliseconds timeout,
                                   std::chrono::milliseconds cache_ttl, CallOptions options,
                                   std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    [[nodiscard]] std::shared_ptr<HttpEvents> events(std::string endpoint, std::string last_event_id,
                                                     CallOptions options,
                                                     std::optional<std::chrono::milliseconds> patience);
    [[nodiscard]] const AsyncServiceAdapter& adapter() const noexcept { return *adapter_; }
    void close() { adapter_->close(); }

private:
    Runtime& runtime_;
    const std::shared_ptr<AsyncServiceAdapter> adapter_;
};

}  // namespace ktrdr
