#include <ktrdr/runtime/service_calls.hpp>

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace ktrdr {
namespace {

// Parameters by value: they live in the frame until the answer is posted. The await stands alone: GCC 12 moves an
// aggregate that is half built when the coroutine stops byte by byte.
boost::asio::awaitable<void> answer_get(std::shared_ptr<AsyncServiceAdapter> adapter, std::string endpoint,
                                        CallOptions options, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    auto answer = co_await adapter->call_get(std::move(endpoint), std::move(options));
    mailbox->post(reply_mail(key, std::move(answer)));
}

boost::asio::awaitable<void> answer_post(std::shared_ptr<AsyncServiceAdapter> adapter, std::string endpoint,
                                         boost::json::value data, CallOptions options, std::shared_ptr<Mailbox> mailbox,
                                         std::uint64_t key) {
    auto answer = co_await adapter->call_post(std::move(endpoint), std::move(data), std::move(options));
    mailbox->post(reply_mail(key, std::move(answer)));
}

}  // namespace

Result<std::shared_ptr<ServiceCalls>> ServiceCalls::create(Runtime& runtime, std::string service_name,
                                                           std::string start_hint, HostServiceConfig config) {
    if (config.client.base_url.empty()) {
        return fail(Errc::configuration, fmt::format("{} needs a base URL: http://host[:port][/prefix]", service_name),
                    {{"field", "base_url"}});
    }
    auto client = HttpClient::create(runtime.io().context(), config.client);
    if (!client) {
        return client.error();
    }
    auto adapter = std::make_unique<AsyncServiceAdapter>(std::move(service_name), std::move(start_hint), *client);
    return std::make_shared<ServiceCalls>(runtime, *client, std::move(adapter));
}

ServiceCalls::ServiceCalls(Runtime& runtime, std::shared_ptr<HttpClient> client,
                           std::unique_ptr<AsyncServiceAdapter> adapter)
    : runtime_(runtime), client_(std::move(client)), adapter_(std::move(adapter)) {}

ServiceCalls::~ServiceCalls() {
    // Both belong to the io thread.
    runtime_.io().post([client = std::move(client_), adapter = std::move(adapter_)] { client->close(); });
}

CancellationToken ServiceCalls::get(std::string endpoint, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    CancellationToken token = runtime_.make_token();
    runtime_.io().post([&io = runtime_.io().context(), adapter = adapter_, endpoint = std::move(endpoint),
                        options = CallOptions{token, true, {}}, mailbox = std::move(mailbox), key] {
        boost::asio::co_spawn(io, answer_get(adapter, endpoint, options, mailbox, key), boost::asio::detached);
    });
    return token;
}

CancellationToken ServiceCalls::post(std::string endpoint, boost::json::value data, std::shared_ptr<Mailbox> mailbox,
                                     std::uint64_t key) {
    CancellationToken token = runtime_.make_token();
    runtime_.io().post([&io = runtime_.io().context(), adapter = adapter_, endpoint = std::move(endpoint),
                        data = std::move(data), options = CallOptions{token, false, {}}, mailbox = std::move(mailbox),
                        key] {
        boost::asio::co_spawn(io, answer_post(adapter, endpoint, data, options, mailbox, key), boost::asio::detached);
    });
    return token;
}

PoolStats ServiceCalls::stats() const {
    return client_->stats();
}

void ServiceCalls::close() {
    runtime_.io().post([client = client_] { client->close(); });
}

}  // namespace ktrdr
