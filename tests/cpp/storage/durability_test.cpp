#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <random>
#include <sstream>

#include "killed_child.hpp"
#include "soak.hpp"
#include "store_world.hpp"
#include "temporary_folder.hpp"

namespace ktrdr {
namespace {

/// Tells a pipe of every state edge, when its listeners hear of it.
class Announcer final : public OperationListener {
public:
    Announcer(int fd, Operation& operation) : fd_(fd), operation_(operation) {}
    void on_progress(const ProgressState&) override {}
    [[nodiscard]] bool wants_progress() const override { return false; }
    [[nodiscard]] bool wants_events() const override { return true; }
    void on_events() override { tell(); }
    void on_finished() override { tell(); }

private:
    void tell() {
        for (const auto& event : operation_.events({.after = seen_}).value()) {
            seen_ = event.seq;
            if (event.kind == OperationEventKind::state) {
                const auto line = fmt::format("{} {} {}\n", operation_.id(), event.seq,
                                              std::string(event_data(event).at("status").as_string()));
                // One write of a short line is whole in a pipe.
                [[maybe_unused]] const auto told = ::write(fd_, line.data(), line.size());
            }
        }
    }

    const int fd_;
    Operation& operation_;
    std::uint64_t seen_{0};
};

/// Ten operations at once, each taken one step further at random, until somebody kills this process.
[[noreturn]] void run_operations(const std::filesystem::path& file, int fd, unsigned seed) {
    constexpr std::size_t at_once = 10;
    StoreWorld world(file);
    ManualExecutor io;
    ManualTimerQueue timers(world.clock);
    OperationRegistry registry(io, timers, world.clock, world.store);
    std::mt19937 random(seed);
    std::vector<std::shared_ptr<Operation>> running(at_once);
    for (;;) {
        auto& operation = running[random() % at_once];
        if (!operation || is_terminal(operation->status())) {
            operation = registry.create({"data_load", "", "", {}}).value().operation;
            operation->add_listener(std::make_shared<Announcer>(fd, *operation));
            operation->when_admitted([] {});
        } else if (operation->status() == OperationStatus::pending) {
            (void)operation->start();
        } else if (random() % 3 == 0) {
            operation->request_cancel({});
        } else if (random() % 2 == 0) {
            operation->add_metric({{"loss", 0.5}});
            operation->save_progress();
        } else {
            operation->finish(random() % 2 == 0 ? Result<std::any>(std::any(1))
                                                : failed(fail(Errc::no_data, "no bars")));
        }
    }
}

struct Announced {
    std::uint64_t seq{0};
    std::string status{};
};

/// Start the operations, kill their process after a random while, and answer what it had announced.
std::map<std::string, Announced> announced_before_death(const std::filesystem::path& file, std::mt19937& random) {
    const auto seed = static_cast<unsigned>(random());
    // Some die while they open the store, however long that takes here; most have announced much.
    const std::ptrdiff_t least = random() % 4 == 0 ? 0 : 10;
    const std::string text = test::said_before_death({least, std::chrono::microseconds(random() % 30'000)},
                                                     [&file, seed](int fd) { run_operations(file, fd, seed); });
    std::map<std::string, Announced> announced;
    std::istringstream lines(text);
    for (std::string id, status; lines >> id;) {
        std::uint64_t seq = 0;
        lines >> seq >> status;
        announced[id] = {seq, status};
    }
    return announced;
}

void expect_kept(const OperationRecord& record, const Announced& announced) {
    EXPECT_GE(record.last_seq, announced.seq) << record.id;
    const auto status = status_from(announced.status).value();
    if (is_terminal(status)) {
        EXPECT_EQ(record.status, status) << record.id;
    }
    EXPECT_FALSE(is_active(record.status)) << record.id << " has no owner and is " << to_string(record.status);
}

TEST(Durability, KeepsEveryAnnouncedStateOfAKilledProcess) {
    const test::TemporaryFolder folder;
    const std::filesystem::path file = folder.path() / "ktrdr.db";
    std::mt19937 random(7);
    std::size_t states = 0;
    const int rounds = soak_count(40, 1000);
    for (int round = 0; round < rounds; ++round) {
        const auto announced = announced_before_death(file, random);
        states += announced.size();
        StoreWorld after(file);
        ASSERT_TRUE(after.store->recover());
        for (const auto& [id, state] : announced) {
            const auto record = after.store->find(id).value();
            ASSERT_TRUE(record) << id << " was announced as " << state.status;
            expect_kept(*record, state);
        }
        ASSERT_EQ(after.store->list({.active_only = true}).value().total, 0U);
        ASSERT_TRUE(after.store->forget({.max_count = 100}, ""));
        if (round % 10 == 0) {
            SQLite::Database check(file.string(), SQLite::OPEN_READONLY);
            ASSERT_EQ(check.execAndGet("PRAGMA integrity_check").getString(), "ok");
        }
    }
    EXPECT_GT(states, static_cast<std::size_t>(rounds)) << "the kills came before anything happened";
}

}  // namespace
}  // namespace ktrdr
