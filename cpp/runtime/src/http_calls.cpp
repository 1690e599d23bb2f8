#include <ktrdr/runtime/http_calls.hpp>

#include "reading.hpp"
#include "reply.hpp"

namespace ktrdr {
namespace asio = boost::asio;
namespace {

/// What a person may change where nobody listens; the adapters have words of their own.
Error with_advice(Error error) {
    const auto* const phase = error.context.if_contains("phase");
    if (error.code == Errc::service_connection && phase != nullptr && *phase == "connect") {
        error.message += "; is the service running at that address?";
    }
    return error;
}

asio::awaitable<Result<std::shared_ptr<HttpStream>>> open_stream(Runtime* runtime, HttpClient* client, Request request,
                                                                 CancellationToken token) {
    auto stream = co_await client->stream(std::move(request), std::move(token));
    if (!stream) {
        co_return with_advice(std::move(stream).error());
    }
    co_return std::make_shared<HttpStream>(*runtime, std::move(*stream));
}

asio::awaitable<Result<void>> drain(HttpClient* client, std::chrono::milliseconds time) {
    co_await client->close(time);
    co_return Result<void>{};
}

}  // namespace

Result<std::shared_ptr<HttpCalls>> HttpCalls::create(Runtime& runtime, const ClientOptions& options, Headers headers) {
    auto client = HttpClient::create(runtime.io().context(), options, &runtime.compute());
    if (!client) {
        return client.error();
    }
    return std::make_shared<HttpCalls>(runtime, std::move(*client), std::move(headers));
}

HttpCalls::HttpCalls(Runtime& runtime, std::shared_ptr<HttpClient> client, Headers headers)
    : runtime_(runtime), client_(std::move(client)), headers_(std::move(headers)) {}

Request HttpCalls::with_headers(Request request) const {
    for (const auto& [name, value] : headers_) {
        if (!has_header(request.headers, name)) {
            request.headers.emplace_back(name, value);
        }
    }
    return request;
}

HttpCalls::~HttpCalls() {
    // It belongs to the io thread, and to what it carries out: the last of that closes its connections.
    runtime_.io().post([client = std::move(client_)]() mutable { client.reset(); });
}

CancellationToken HttpCalls::send(Request request, const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                                  std::uint64_t key) {
    CancellationToken token = runtime_.make_token(parent);
    runtime_.io().post([client = client_, request = with_headers(std::move(request)), token,
                        to = ReplyTo{runtime_, std::move(mailbox), key}]() mutable {
        to.guard([&] {
            client->send(std::move(request), token, [to](Result<Response> response) {
                to.post(response ? std::move(response) : with_advice(std::move(response).error()));
            });
        });
    });
    return token;
}

CancellationToken HttpCalls::stream(Request request, const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                                    std::uint64_t key) {
    CancellationToken token = runtime_.make_token(parent);
    reply_with(client_, {runtime_, std::move(mailbox), key},
               [&runtime = runtime_, request = with_headers(std::move(request)), token](HttpClient& client) mutable {
                   return open_stream(&runtime, &client, std::move(request), std::move(token));
               });
    return token;
}

std::shared_ptr<HttpEvents> HttpCalls::events(Request request, const CancellationToken& parent,
                                              std::optional<std::chrono::milliseconds> patience) {
    CancellationToken token = runtime_.make_token(parent);
    auto stream = std::make_shared<EventStream>(client_, with_headers(std::move(request)), token, patience);
    return std::make_shared<HttpEvents>(runtime_, std::move(stream), std::move(token));
}

void HttpCalls::warm_up(std::size_t connections, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    reply_with(client_, {runtime_, std::move(mailbox), key},
               [connections](HttpClient& client) { return client.warm_up(connections); });
}

void HttpCalls::close() {
    runtime_.io().post([client = client_] { client->close(); });
}

void HttpCalls::close(std::chrono::milliseconds time, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    reply_with(client_, {runtime_, std::move(mailbox), key},
               [time](HttpClient& client) { return drain(&client, time); });
}

HttpStream::HttpStream(Runtime& runtime, std::shared_ptr<ResponseStream> stream)
    : runtime_(runtime),
      stream_(std::move(stream)),
      reading_(std::make_shared<Reading<ResponseStream, std::shared_ptr<BodyPieces>>>(stream_)) {}

HttpStream::~HttpStream() {
    // They belong to the io thread.
    runtime_.io().post([stream = std::move(stream_), reading = std::move(reading_)] { stream->close(); });
}

void HttpStream::next(std::uint64_t heard, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    runtime_.io().post([reading = reading_, heard, to = ReplyTo{runtime_, std::move(mailbox), key}] {
        to.guard([&] { reading->next(heard, to); });
    });
}

void HttpStream::close() {
    runtime_.io().post([stream = stream_] { stream->close(); });
}

HttpEvents::HttpEvents(Runtime& runtime, std::shared_ptr<EventStream> events, CancellationToken token)
    : runtime_(runtime),
      events_(std::move(events)),
      reading_(std::make_shared<Reading<EventStream, std::vector<ServerEvent>>>(events_)),
      token_(std::move(token)) {}

HttpEvents::~HttpEvents() {
    close();
    // They belong to the io thread.
    runtime_.io().post([events = std::move(events_), reading = std::move(reading_)]() mutable {
        reading.reset();
        events.reset();
    });
}

void HttpEvents::next(std::uint64_t heard, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    runtime_.io().post([reading = reading_, heard, to = ReplyTo{runtime_, std::move(mailbox), key}] {
        to.guard([&] { reading->next(heard, to); });
    });
}

void HttpEvents::close() {
    token_.cancel({CancelCode::user, "the events were closed by their reader", "python"});
    runtime_.io().post([events = events_] { events->close(); });
}

}  // namespace ktrdr
