#pragma once

#include <memory>
#include <string>

#include <ktrdr/adapter/async_service_adapter.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/runtime/mailbox.hpp>
#include <ktrdr/runtime/runtime.hpp>

namespace ktrdr {

/// An `AsyncServiceAdapter` for callers that are not on the io thread: answers come as mail.
///
/// Thread safety: every member from any thread.
class KTRDR_EXPORT ServiceCalls final : public std::enable_shared_from_this<ServiceCalls> {
public:
    [[nodiscard]] static Result<std::shared_ptr<ServiceCalls>> create(Runtime& runtime, std::string service_name,
                                                                      std::string start_hint, HostServiceConfig config);
    ServiceCalls(Runtime& runtime, std::shared_ptr<HttpClient> client, std::unique_ptr<AsyncServiceAdapter> adapter);
    ~ServiceCalls();

    /// Send `GET endpoint`; the answer is posted to `mailbox` under `key`. The token it answers stops the call.
    CancellationToken get(std::string endpoint, std::shared_ptr<Mailbox> mailbox, std::uint64_t key);
    /// Send `POST endpoint` with `data` as JSON.
    CancellationToken post(std::string endpoint, boost::json::value data, std::shared_ptr<Mailbox> mailbox,
                           std::uint64_t key);
    [[nodiscard]] PoolStats stats() const;
    void close();

private:
    Runtime& runtime_;
    std::shared_ptr<HttpClient> client_;
    std::shared_ptr<AsyncServiceAdapter> adapter_;
};

}  // namespace ktrdr
