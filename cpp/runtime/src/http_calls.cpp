#include <ktrdr/runtime/http_calls.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

namespace ktrdr {
namespace asio = boost::asio;
namespace {

// Parameters by value: they live in the frame until the answer is posted.
asio::awaitable<void> answer(std::shared_ptr<HttpClient> client, Request request, CancellationToken token,
                             std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    auto response = co_await client->send(std::move(request), std::move(token));
    mailbox->post(reply_mail(key, std::move(response)));
}

asio::awaitable<void> answer_stream(Runtime* runtime, std::shared_ptr<HttpClient> client, Request request,
                                    CancellationToken token, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    using Reply = Result<std::shared_ptr<HttpStream>>;
    auto stream = co_await client->stream(std::move(request), std::move(token));
    mailbox->post(reply_mail(
        key, stream ? Reply(std::make_shared<HttpStream>(*runtime, *stream)) : Reply(std::move(stream).error())));
}

asio::awaitable<void> answer_piece(std::shared_ptr<ResponseStream> stream, std::shared_ptr<Mailbox> mailbox,
                                   std::uint64_t key) {
    auto piece = co_await stream->next();
    mailbox->post(reply_mail(key, std::move(piece)));
}

asio::awaitable<void> answer_events(std::shared_ptr<EventStream> stream, std::shared_ptr<Mailbox> mailbox,
                                    std::uint64_t key) {
    auto events = co_await stream->next();
    mailbox->post(reply_mail(key, std::move(events)));
}

asio::awaitable<void> warm(std::shared_ptr<HttpClient> client, std::size_t connections,
                           std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    auto done = co_await client->warm_up(connections);
    using Reply = Result<boost::json::value>;
    mailbox->post(reply_mail(key, done ? Reply(boost::json::value()) : Reply(std::move(done).error())));
}

asio::awaitable<void> drain(std::shared_ptr<HttpClient> client, std::chrono::milliseconds time,
                            std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    co_await client->close(time);
    mailbox->post(reply_mail<boost::json::value>(key, boost::json::value()));
}

}  // namespace

Result<std::shared_ptr<HttpCalls>> HttpCalls::create(Runtime& runtime, const ClientOptions& options) {
    auto client = HttpClient::create(runtime.io().context(), options);
    if (!client) {
        return client.error();
    }
    return std::make_shared<HttpCalls>(runtime, std::move(*client));
}

HttpCalls::HttpCalls(Runtime& runtime, std::shared_ptr<HttpClient> client)
    : runtime_(runtime), client_(std::move(client)) {}

HttpCalls::~HttpCalls() {
    // It belongs to the io thread.
    runtime_.io().post([client = std::move(client_)] { client->close(); });
}

CancellationToken HttpCalls::send(Request request, const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                                  std::uint64_t key) {
    CancellationToken token = make_token(parent);
    runtime_.io().post([&io = runtime_.io().context(), client = client_, request = std::move(request), token,
                        mailbox = std::move(mailbox), key]() mutable {
        asio::co_spawn(io, answer(std::move(client), std::move(request), token, std::move(mailbox), key),
                       asio::detached);
    });
    return token;
}

CancellationToken HttpCalls::stream(Request request, const CancellationToken& parent, std::shared_ptr<Mailbox> mailbox,
                                    std::uint64_t key) {
    CancellationToken token = make_token(parent);
    runtime_.io().post([&runtime = runtime_, client = client_, request = std::move(request), token,
                        mailbox = std::move(mailbox), key]() mutable {
        asio::co_spawn(runtime.io().context(),
                       answer_stream(&runtime, std::move(client), std::move(request), token, std::move(mailbox), key),
                       asio::detached);
    });
    return token;
}

CancellationToken HttpCalls::make_token(const CancellationToken& parent) const {
    return parent == CancellationToken{} ? runtime_.make_token() : parent.child();
}

HttpStream::HttpStream(Runtime& runtime, std::shared_ptr<ResponseStream> stream)
    : runtime_(runtime), stream_(std::move(stream)) {}

HttpStream::~HttpStream() {
    // It belongs to the io thread.
    runtime_.io().post([stream = std::move(stream_)] { stream->close(); });
}

void HttpStream::next(std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    runtime_.io().post([&io = runtime_.io().context(), stream = stream_, mailbox = std::move(mailbox), key] {
        asio::co_spawn(io, answer_piece(stream, mailbox, key), asio::detached);
    });
}

void HttpStream::close() {
    runtime_.io().post([stream = stream_] { stream->close(); });
}

std::shared_ptr<HttpEvents> HttpCalls::events(Request request, const CancellationToken& parent) {
    CancellationToken token = make_token(parent);
    auto stream = std::make_shared<EventStream>(client_, std::move(request), token);
    return std::make_shared<HttpEvents>(runtime_, std::move(stream), std::move(token));
}

HttpEvents::HttpEvents(Runtime& runtime, std::shared_ptr<EventStream> events, CancellationToken token)
    : runtime_(runtime), events_(std::move(events)), token_(std::move(token)) {}

HttpEvents::~HttpEvents() {
    close();
    // It belongs to the io thread.
    runtime_.io().post([events = std::move(events_)]() mutable { events.reset(); });
}

void HttpEvents::next(std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    runtime_.io().post([&io = runtime_.io().context(), events = events_, mailbox = std::move(mailbox), key] {
        asio::co_spawn(io, answer_events(events, mailbox, key), asio::detached);
    });
}

void HttpEvents::close() {
    token_.cancel({CancelCode::user, "the events were closed by their reader", "python"});
    runtime_.io().post([events = events_] { events->close(); });
}

void HttpCalls::warm_up(std::size_t connections, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    runtime_.io().post([&io = runtime_.io().context(), client = client_, connections, mailbox = std::move(mailbox),
                        key] { asio::co_spawn(io, warm(client, connections, mailbox, key), asio::detached); });
}

void HttpCalls::close() {
    runtime_.io().post([client = client_] { client->close(); });
}

void HttpCalls::close(std::chrono::milliseconds time, std::shared_ptr<Mailbox> mailbox, std::uint64_t key) {
    runtime_.io().post([&io = runtime_.io().context(), client = client_, time, mailbox = std::move(mailbox), key] {
        asio::co_spawn(io, drain(client, time, mailbox, key), asio::detached);
    });
}

}  // namespace ktrdr
