#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include <data/fakes.hpp>
#include <ktrdr/data/data_manager.hpp>

namespace ktrdr {

/// What a data manager stands on; the test runs the work of the I/O thread itself.
class ManagerFixture : public testing::Test {
protected:
    [[nodiscard]] DataServices services() { return {io_, io_executor_, timers_, clock_, compute_, store_, registry_}; }

    std::shared_ptr<DataManager> open(std::shared_ptr<BarSource> source = nullptr) {
        auto storage =
            Storage::open(folder_.path() / "data" / "ktrdr.db", {BarStore::schema()}, store_, clock_).value();
        registry_.attach(storage->operations());
        return std::make_shared<DataManager>(services(), std::move(storage), std::move(source), Env{});
    }

    /// Run the I/O thread's work until this holds: edges come from the store's thread.
    template <typename Holds>
    void run_until(Holds holds) {
        do {
            io_.restart();
            io_.run_for(std::chrono::milliseconds{1});
        } while (!holds());
    }

    /// Run until every operation has ended.
    void finish() {
        run_until([this] { return registry_.live().empty(); });
    }

    test::TemporaryFolder folder_{};
    ManualClock clock_{at("2024-06-03T15:30")};
    boost::asio::io_context io_{1};
    IoExecutor io_executor_{io_};
    ManualTimerQueue timers_{clock_};
    OperationRegistry registry_{io_executor_, timers_, clock_};
    ThreadExecutor compute_;
    ThreadExecutor store_;
};

}  // namespace ktrdr
