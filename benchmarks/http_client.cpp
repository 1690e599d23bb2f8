// Requests by the C++ client, as many at a time as it is told, on the loop that owns the sockets: the loop of
// `http_peer client` with a client library in it.
//
//   http_client PORT CONCURRENT REQUESTS    prints wall and CPU seconds

#include <sys/resource.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <ktrdr/http/client.hpp>

namespace {

namespace asio = boost::asio;

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

asio::awaitable<void> ask(std::shared_ptr<ktrdr::HttpClient> client, long* left) {
    while ((*left)-- > 0) {
        ktrdr::Request request;
        request.url = "/bars";
        request.decode = false;
        const auto response = co_await client->send(std::move(request), ktrdr::CancellationToken{});
        if (!response || response->status != 200) {
            std::fputs(response ? "not 200\n" : response.error().message.c_str(), stderr);
            std::exit(1);
        }
    }
}

void run(asio::io_context& io, const std::shared_ptr<ktrdr::HttpClient>& client, long concurrent, long requests) {
    for (long i = 0; i < concurrent; ++i) {
        asio::co_spawn(io, ask(client, &requests), asio::detached);
    }
    while (requests > -concurrent && io.run_one() > 0) {
    }
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 4) {
        std::fputs("http_client PORT CONCURRENT REQUESTS\n", stderr);
        return 2;
    }
    const long concurrent = std::atol(arguments[2]);
    const long requests = std::atol(arguments[3]);
    asio::io_context io{1};
    ktrdr::ClientOptions options;
    options.base_url = std::string("http://127.0.0.1:") + arguments[1];
    options.pool.max_connections = static_cast<std::size_t>(concurrent);
    const auto client = ktrdr::HttpClient::create(io, options).value();
    run(io, client, concurrent, concurrent);
    const auto began = std::chrono::steady_clock::now();
    const double cpu = cpu_seconds();
    run(io, client, concurrent, requests);
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
    std::printf("{\"wall\": %.6f, \"cpu\": %.6f}\n", wall.count(), cpu_seconds() - cpu);
    std::fflush(stdout);
    std::_Exit(0);  // Sockets that are still open are nobody's concern.
}
