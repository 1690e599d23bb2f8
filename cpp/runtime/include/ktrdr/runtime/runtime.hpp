#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string_view>

#include <ktrdr/base/executor.hpp>
#include <ktrdr/base/export.hpp>
#include <ktrdr/base/files.hpp>
#include <ktrdr/base/result.hpp>
#include <ktrdr/data/data_manager.hpp>
#include <ktrdr/operations/registry.hpp>
#include <ktrdr/runtime/io_thread.hpp>
#include <ktrdr/runtime/log_queue.hpp>
#include <ktrdr/runtime/worker_pool.hpp>
#include <ktrdr/storage/storage.hpp>
#include <ktrdr/training/training_manager.hpp>

namespace ktrdr {

/// Every thread of ours and the registry of operations: what the managers are wired to (`open_data_manager`,
/// `open_training_manager`).
///
/// Lifetime: made at first use and never destroyed, so that no worker can outlive what it stands on.
class KTRDR_EXPORT Runtime final {
public:
    /// The process's runtime. `shut_down` after `shutdown()`, and in a forked child, whose threads do not exist.
    [[nodiscard]] static Result<Runtime*> instance();
    /// The runtime if there is one.
    [[nodiscard]] static Runtime* existing() noexcept;

    [[nodiscard]] OperationRegistry& registry() noexcept { return registry_; }
    [[nodiscard]] IoThread& io() noexcept { return io_; }
    [[nodiscard]] WorkerPool& compute() noexcept { return compute_; }
    [[nodiscard]] LogQueue& logs() noexcept { return logs_; }

    [[nodiscard]] DataServices data_services();
    [[nodiscard]] TrainingServices training_services();
    [[nodiscard]] HostServiceMeans host_service_means();
    /// The SQLite file with the tables of every room; its operations are known to the registry while it lives.
    [[nodiscard]] Result<std::shared_ptr<Storage>> open_storage(const std::filesystem::path& file, FileAccess access);
    /// So that nothing which opening a file begins keeps the interpreter from exiting.
    [[nodiscard]] DatabaseOptions database_options() const;
    [[nodiscard]] CancellationToken make_token();
    /// A child of it, or one without a parent where it is the empty one.
    [[nodiscard]] CancellationToken make_token(const CancellationToken& parent);
    /// A listener was added: sample until nobody listens any more.
    void wake_sampler();
    /// An operation was created: while one of a durable store is alive, progress goes there and cancels of other
    /// processes come from there.
    void wake_tender();

    /// A store was opened: while one is, the death of another process that used it is seen within a few seconds.
    void watch_owners();

    /// Cancel everything, wait for it and for every thread, at most `limit` altogether. False when something was still
    /// running then. Nothing new starts afterwards.
    bool shutdown(std::chrono::milliseconds limit);

private:
    /// What is looked at again and again, as long as there is something to see.
    struct Watch {
        /// For the log: "looking at progress".
        std::string_view what;
        /// Between two looks.
        std::chrono::milliseconds pause;
        std::atomic<bool> on{false};
    };

    Runtime();
    /// Carry out a look on one of the threads.
    void post(Executor& executor, Watch& watch, void (Runtime::*look)()) noexcept;
    /// Look, and have `next` look later while that sees something or fails.
    template <class Look>
    void look_and_repeat(Watch& watch, Look look, void (Runtime::*next)()) noexcept;
    /// Inside a `catch (...)` only: who needs it next tries again.
    static void give_up(Watch& watch) noexcept;
    void tick();
    void tend();
    void post_look();
    void look_for_dead_owners();
    void post_tend();
    void watch_writes();

    const int pid_;
    const unsigned forks_;
    std::atomic<bool> closed_{false};
    LogQueue logs_{10'000};
    IoThread io_;
    WorkerPool compute_;
    WorkerPool store_;
    /// Those that wait are here; the pool starts a thread for each that it lets begin.
    const std::shared_ptr<TrainingQueue> training_queue_;
    WorkerPool trainings_;
    OperationRegistry registry_;
    Watch sampling_;
    Watch tending_;
    Watch watching_owners_;
    Watch watching_writes_;
};

}  // namespace ktrdr
