// The two ends that every HTTP client is measured against: a server that does nothing but answer, and the same requests
// from a bare epoll loop, which no client library can beat.
//
//   http_peer server                 prints its port and serves until its standard input ends; /hold gets no answer
//   http_peer client PORT CONNS N    sends N requests over CONNS connections, prints wall and CPU seconds, and over one
//                                    connection the median of a request's seconds

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "cpu_seconds.hpp"

namespace {

const std::string request = "GET /bars HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

// 120 bytes of JSON, about the size of a status answer.
const std::string body =
    R"({"success":true,"symbol":"AAPL","timeframe":"1h","rows":7,"first":"2024-01-02T14:30:00Z","close":185.64,"volume":1234567})";

const std::string response =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
    body;

[[noreturn]] void stop(const char* what) {
    std::perror(what);
    std::exit(1);
}

void no_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void watch(int poll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0) {
        stop("epoll_ctl");
    }
}

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

void answer(int fd) {
    std::array<char, 65536> buffer;
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) {
        ::close(fd);
        return;
    }
    const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
    if (text.starts_with("GET /hold ")) {
        return;
    }
    for (auto end = text.find("\r\n\r\n"); end != std::string_view::npos; end = text.find("\r\n\r\n", end + 4)) {
        if (::send(fd, response.data(), response.size(), MSG_NOSIGNAL) < 0) {
            ::close(fd);
            return;
        }
    }
}

int serve() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 1024) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        stop("listen");
    }
    std::printf("%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    const int poll = ::epoll_create1(0);
    watch(poll, listener);
    watch(poll, STDIN_FILENO);
    std::array<epoll_event, 256> events;
    for (;;) {
        const int count = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (fd == STDIN_FILENO) {
                return 0;
            }
            if (fd == listener) {
                const int client = ::accept(listener, nullptr, nullptr);
                no_delay(client);
                watch(poll, client);
            } else {
                answer(fd);
            }
        }
    }
}

int ask(int port, int connections, long requests) {
    const int poll = ::epoll_create1(0);
    for (int i = 0; i < connections; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        const auto address = loopback(port);
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            stop("connect");
        }
        no_delay(fd);
        watch(poll, fd);
        if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
            stop("send");
        }
    }
    const auto began = std::chrono::steady_clock::now();
    const double cpu = cpu_seconds();
    std::array<epoll_event, 256> events;
    std::array<char, 65536> buffer;
    std::vector<double> times;
    auto asked = began;
    for (long done = 0; done < requests;) {
        const int count = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[static_cast<std::size_t>(i)].data.fd;
            if (::recv(fd, buffer.data(), buffer.size(), 0) < static_cast<ssize_t>(response.size())) {
                stop("a short answer");
            }
            ++done;
            if (connections == 1) {
                const auto now = std::chrono::steady_clock::now();
                times.push_back(std::chrono::duration<double>(now - asked).count());
                asked = now;
            }
            if (::send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
                stop("send");
            }
        }
    }
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - began;
    std::sort(times.begin(), times.end());
    std::printf("{\"wall\": %.6f, \"cpu\": %.6f, \"p50\": %.9f}\n", wall.count(), cpu_seconds() - cpu,
                times.empty() ? 0 : times[times.size() / 2]);
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    const std::string_view role = count > 1 ? arguments[1] : "";
    if (role == "server") {
        return serve();
    }
    if (role == "client" && count == 5) {
        return ask(std::atoi(arguments[2]), std::atoi(arguments[3]), std::atol(arguments[4]));
    }
    std::fputs("http_peer server | http_peer client PORT CONNECTIONS REQUESTS\n", stderr);
    return 2;
}
