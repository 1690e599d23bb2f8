#include <ktrdr/http/event_stream.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/string.hpp>
#include <random>

#include <ktrdr/http/client.hpp>

#include "reconnects.hpp"
#include "sse_parser.hpp"

namespace ktrdr {
namespace asio = boost::asio;
namespace {

constexpr std::size_t event_bytes = 1024UL * 1024;
/// An event may be one line, and the name of its field comes on top.
constexpr SseParser::Limits limits{.line_bytes = event_bytes + 64, .event_bytes = event_bytes};
constexpr std::string_view last_id = "Last-Event-ID";

/// Take the field out of the headers.
std::string take_header(Headers& headers, std::string_view wanted) {
    std::string value;
    std::erase_if(headers, [&](auto& field) {
        const bool found = boost::beast::iequals(field.first, wanted);
        if (found) {
            value = std::move(field.second);
        }
        return found;
    });
    return value;
}

bool is_event_stream(const Headers& headers) {
    return std::any_of(headers.begin(), headers.end(), [](const auto& field) {
        return boost::beast::iequals(field.first, "Content-Type") &&
               boost::beast::iequals(std::string_view(field.second).substr(0, 17), "text/event-stream");
    });
}

/// Where nobody says how long a service may stay away, a deadline does, if there is one.
Reconnects::Time patience_of(std::optional<Reconnects::Time> given, const CancellationToken& token) {
    return given.value_or(token.has_deadline() ? Reconnects::Time::max() : Reconnects::Time{0});
}

/// A connection that ends in the middle is made anew; everything else is for the caller.
bool is_break(const Error& error) {
    return error.code == Errc::service_connection || error.code == Errc::service_timeout ||
           error.code == Errc::protocol;
}

}  // namespace

struct EventStream::Impl {
    Impl(std::shared_ptr<HttpClient> client_in, Request request_in, CancellationToken token_in,
         std::optional<Reconnects::Time> patience)
        : client(std::move(client_in)),
          request(std::move(request_in)),
          token(std::move(token_in)),
          parser(limits, take_header(request.headers, last_id)),
          reconnects(patience_of(patience, token)) {}

    [[nodiscard]] Error refused(const ResponseStream& answer) const;

    std::shared_ptr<HttpClient> client;
    Request request;
    CancellationToken token;
    SseParser parser;
    Reconnects reconnects;
    std::minstd_rand random{std::random_device{}()};
    std::shared_ptr<ResponseStream> open{};
    /// The first connection needs no pause.
    bool connected_before{false};
    bool closed{false};
    /// The pause between two connections, while there is one.
    asio::steady_timer* pause{nullptr};
};

Error EventStream::Impl::refused(const ResponseStream& answer) const {
    const std::string url = request.url.substr(0, request.url.find('?'));
    if (answer.status() == 200) {
        return fail(Errc::protocol,
                    fmt::format("{} {} answered something other than text/event-stream", request.method, url),
                    {{"method", request.method}, {"url", url}, {"phase", "answer"}, {"answered", 200}});
    }
    return fail(Errc::status, fmt::format("{} {} answered {} and no events", request.method, url, answer.status()),
                {{"method", request.method}, {"url", url}, {"status", answer.status()}, {"phase", "answer"}});
}

EventStream::EventStream(std::shared_ptr<HttpClient> client, Request request, CancellationToken token,
                         std::optional<std::chrono::milliseconds> patience)
    : impl_(std::make_unique<Impl>(std::move(client), std::move(request), std::move(token), patience)) {}

EventStream::~EventStream() = default;

void EventStream::close() {
    impl_->closed = true;
    if (impl_->open) {
        impl_->open->close();
    }
    if (impl_->pause != nullptr) {
        impl_->pause->cancel();
    }
}

asio::awaitable<Result<std::vector<ServerEvent>>> EventStream::next() {
    const auto self = shared_from_this();
    Impl& it = *impl_;
    std::vector<ServerEvent> events;
    while (events.empty()) {
        if (it.closed) {
            co_return fail(Errc::client_closed, "the event stream was closed by its reader");
        }
        if (!it.open) {
            const auto opened = co_await connect();
            if (!opened && it.reconnects.goes_on(opened.error(), std::chrono::steady_clock::now())) {
                continue;
            }
            if (!opened) {
                co_return opened.error();
            }
            if (!*opened) {
                co_return std::vector<ServerEvent>{};
            }
        }
        auto pieces = co_await it.open->next();
        const bool over = !pieces || pieces->empty();
        for (; pieces && !pieces->empty(); pieces->pop()) {
            if (const auto fed = it.parser.feed(pieces->front(), events); !fed) {
                const Error error = fed.error();
                it.open.reset();
                co_return fail(error.code, "the response " + error.message, error.context);
            }
        }
        if (!over) {
            continue;
        }
        it.open.reset();
        if (!pieces && !is_break(pieces.error())) {
            co_return pieces.error();
        }
    }
    it.reconnects.heard();
    co_return events;
}

asio::awaitable<Result<bool>> EventStream::connect() {
    Impl& it = *impl_;
    if (std::exchange(it.connected_before, true)) {
        const double chance = std::uniform_real_distribution<double>(0, 1)(it.random);
        asio::steady_timer timer(co_await asio::this_coro::executor, it.reconnects.pause(it.parser.retry(), chance));
        it.pause = &timer;
        const auto registration = it.token.on_cancel([&timer](const CancelReason&) { timer.cancel(); });
        boost::system::error_code woken;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
        it.pause = nullptr;
    }
    it.parser.restart();
    Request request = it.request;
    request.defaults.emplace_back("Accept", "text/event-stream");
    request.defaults.emplace_back("Cache-Control", "no-store");
    if (!it.parser.last_event_id().empty()) {
        request.headers.emplace_back(last_id, it.parser.last_event_id());
    }
    auto answer = co_await it.client->stream(std::move(request), it.token);
    if (!answer) {
        co_return answer.error();
    }
    if ((*answer)->status() == 204) {
        co_return false;
    }
    if ((*answer)->status() != 200 || !is_event_stream((*answer)->headers())) {
        co_return it.refused(**answer);
    }
    it.reconnects.connected();
    it.open = std::move(*answer);
    co_return true;
}

}  // namespace ktrdr
