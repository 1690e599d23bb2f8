// The C++ client on the loop that owns the sockets: the loop of `http_peer client` with a client library in it.
//
//   http_client rate PORT CONCURRENT REQUESTS    prints wall and CPU seconds
//   http_client memory PORT COUNT                prints the heap's bytes of an idle connection, of a request in flight

#include <malloc.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <ktrdr/http/client.hpp>

#include "cpu_seconds.hpp"

namespace {

namespace asio = boost::asio;
using Client = std::shared_ptr<ktrdr::HttpClient>;

std::size_t heap_bytes() {
    return ::mallinfo2().uordblks;
}

ktrdr::Request get(const char* url) {
    ktrdr::Request request;
    request.url = url;
    request.decode = false;
    return request;
}

Client make_client(asio::io_context& io, const char* port, std::size_t connections) {
    ktrdr::ClientOptions options;
    options.base_url = std::string("http://127.0.0.1:") + port;
    options.pool.max_connections = connections;
    return ktrdr::HttpClient::create(io, options).value();
}

asio::awaitable<void> ask(Client client, long* left) {
    while ((*left)-- > 0) {
        const auto response = co_await client->send(get("/bars"), ktrdr::CancellationToken{});
        if (!response || response->status != 200) {
            std::fputs(response ? "not 200\n" : response.error().message.c_str(), stderr);
            std::exit(1);
        }
    }
}

void run(asio::io_context& io, const Client& client, long concurrent, long requests) {
    for (long i = 0; i < concurrent; ++i) {
        asio::co_spawn(io, ask(client, &requests), asio::detached);
    }
    while (requests > -concurrent && io.run_one() > 0) {
    }
}

void measure_rate(const char* port, long concurrent, long requests) {
    asio::io_context io{1};
    const Client client = make_client(io, port, static_cast<std::size_t>(concurrent));
    run(io, client, concurrent, concurrent);
    const auto began = std::chrono::steady_clock::now();
    const double cpu = cpu_seconds();
    run(io, client, concurrent, requests);
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
    std::printf("{\"wall\": %.6f, \"cpu\": %.6f}\n", wall.count(), cpu_seconds() - cpu);
}

void measure_memory(const char* port, long count) {
    asio::io_context io{1};
    const Client client = make_client(io, port, static_cast<std::size_t>(count));
    // Once, so that what is made at the first use is there.
    run(io, client, 1, 1);
    const std::size_t before = heap_bytes();
    run(io, client, count, count);
    const std::size_t idle = heap_bytes();
    for (long i = 0; i < count; ++i) {
        client->send(get("/hold"), ktrdr::CancellationToken{}, [](const auto&) {});
    }
    io.poll();
    const std::size_t in_flight = heap_bytes();
    const auto each = [count](std::size_t more, std::size_t less) {
        return (static_cast<double>(more) - static_cast<double>(less)) / static_cast<double>(count);
    };
    std::printf("{\"idle\": %.1f, \"in flight\": %.1f, \"connections\": %zu, \"active\": %zu}\n", each(idle, before),
                each(in_flight, idle), client->stats().open, client->stats().active);
}

}  // namespace

int main(int count, char** arguments) {
    const std::string_view what = count > 1 ? arguments[1] : "";
    if (what == "rate" && count == 5) {
        measure_rate(arguments[2], std::atol(arguments[3]), std::atol(arguments[4]));
        return 0;
    }
    if (what == "memory" && count == 4) {
        measure_memory(arguments[2], std::atol(arguments[3]));
        return 0;
    }
    std::fputs("http_client rate PORT CONCURRENT REQUESTS | memory PORT COUNT\n", stderr);
    return 2;
}
