#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/http/client.hpp>

#include "fault_server.hpp"

namespace ktrdr::test {

/// The production executor in small: functions run on the loop that owns the sockets.
class LoopExecutor final : public Executor {
public:
    explicit LoopExecutor(asio::io_context& io) : io_(io) {}
    void post(Function function) override { asio::post(io_, std::move(function)); }
    [[nodiscard]] bool runs_here() const override { return std::this_thread::get_id() == thread_; }

private:
    asio::io_context& io_;
    std::thread::id thread_{std::this_thread::get_id()};
};

/// An answer on its way.
template <class T>
class Pending final {
public:
    [[nodiscard]] bool done() const { return state_->has_value(); }
    [[nodiscard]] const Result<T>& result() const { return state_->value(); }
    [[nodiscard]] Result<T> take() { return std::move(state_->value()); }
    [[nodiscard]] Error error() const { return state_->value().error(); }
    static asio::awaitable<void> fill(std::shared_ptr<std::optional<Result<T>>> state,
                                      asio::awaitable<Result<T>> work) {
        state->emplace(co_await std::move(work));
    }
    Pending(asio::io_context& io, asio::awaitable<Result<T>> work) {
        asio::co_spawn(io, fill(state_, std::move(work)), asio::detached);
    }

private:
    std::shared_ptr<std::optional<Result<T>>> state_{std::make_shared<std::optional<Result<T>>>()};
};

/// One loop for client and server, driven by the test.
class ClientFixture : public testing::Test {
protected:
    /// Run the loop until `done()`; fails the test when nothing happens for a long time.
    template <class Condition>
    void run_until(Condition done) {
        io.restart();  // It stops where there is no server to wait for anybody.
        while (!done()) {
            if (io.run_one_for(std::chrono::seconds{20}) == 0) {
                FAIL() << "nothing more happens";
            }
        }
    }
    /// Everything that is ready now, without waiting for more.
    void settle() {
        while (io.poll() > 0) {
        }
    }
    [[nodiscard]] std::shared_ptr<FaultServer> serve(FaultServer::Handler handler) {
        server = FaultServer::start(io, std::move(handler));
        return server;
    }
    [[nodiscard]] CancellationToken make_token() { return CancellationToken::create(executor, timers, clock); }

    void TearDown() override {
        if (server) {
            server->close();
        }
        settle();
    }

    asio::io_context io{1};
    LoopExecutor executor{io};
    ManualClock clock{};
    ManualTimerQueue timers{clock};
    std::shared_ptr<FaultServer> server{};
};

}  // namespace ktrdr::test
