#include <ktrdr/runtime/runtime.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/fork.hpp>
#include <ktrdr/base/memory.hpp>

#include "schemas.hpp"

namespace ktrdr {
namespace {

/// Ten pictures a second are as many as a person can read.
constexpr auto sample_interval = std::chrono::milliseconds{100};

/// How soon a cancel from another process is seen.
constexpr auto tend_interval = std::chrono::milliseconds{200};

/// How often processes are looked for that have died.
constexpr auto watch_interval = std::chrono::seconds{2};

std::mutex making;
std::atomic<Runtime*> runtime{nullptr};

/// Most of what is left, so that the rest of the end has some of it.
std::chrono::milliseconds patience_until(SteadyTime deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return std::max(left * 3 / 4, std::chrono::milliseconds{0});
}

std::size_t core_count() {
    return std::max(1U, std::thread::hardware_concurrency());
}

/// Half of the memory is for what else the process and the machine do.
QueueLimits usual_limits() {
    return {std::max(trainings_at_once, core_count()), allowed_memory().value_or(0) / 2};
}

}  // namespace

Result<Runtime*> Runtime::instance() {
    const std::scoped_lock lock(making);
    Runtime* current = runtime.load(std::memory_order_acquire);
    if (current == nullptr) {
        try {
            current = new Runtime;  // Never destroyed, on purpose.
        } catch (...) {
            return caught("starting the core's threads");
        }
        runtime.store(current, std::memory_order_release);
    }
    if (current->forks_ != forks_so_far()) {
        return fail(
            Errc::shut_down,
            fmt::format("ktrdr_core was started in process {} and this is its fork {}, where its threads do not "
                        "exist: use the multiprocessing start method \"spawn\", or fork before the first use",
                        current->pid_, ::getpid()));
    }
    if (current->closed_.load()) {
        return fail(Errc::shut_down, "ktrdr_core is shutting down with the interpreter; nothing new can start");
    }
    return current;
}

Runtime* Runtime::existing() noexcept {
    Runtime* const current = runtime.load(std::memory_order_acquire);
    return current != nullptr && current->forks_ == forks_so_far() ? current : nullptr;
}

Runtime::Runtime()
    : pid_(::getpid()),
      forks_(forks_so_far()),
      compute_("ktrdr-compute", core_count()),
      store_("ktrdr-store", 1),
      training_queue_(std::make_shared<TrainingQueue>(usual_limits())),
      trainings_("ktrdr-train", std::max(most_trainings_at_once, core_count())),
      registry_(io_, io_, system_clock()),
      sampling_{.what = "looking at progress", .pause = sample_interval},
      tending_{.what = "looking after the operations of a store", .pause = tend_interval},
      watching_owners_{.what = "looking for processes that have died", .pause = watch_interval},
      watching_writes_{.what = "looking for writes that are late", .pause = tend_interval} {}

DataServices Runtime::data_services() {
    return {io_.context(), io_, io_, system_clock(), compute_, store_, registry_};
}

TrainingServices Runtime::training_services() {
    return {io_, system_clock(), trainings_, registry_, training_queue_, &compute_};
}

HostServiceMeans Runtime::host_service_means() {
    return {io_.context(), {io_, compute_}};
}

Result<std::shared_ptr<Storage>> Runtime::open_storage(const std::filesystem::path& file, FileAccess access) {
    DatabaseOptions options = database_options();
    options.access = access;
    auto storage = Storage::open(file, schemas(), store_, system_clock(), options);
    if (storage) {
        registry_.attach((*storage)->operations());
        watch_owners();
        (*storage)->operations()->keep_house();
    }
    return storage;
}

DatabaseOptions Runtime::database_options() const {
    DatabaseOptions options;
    options.rewrite_wanted = [this]() -> Result<void> {
        return closed_.load() ? Result<void>(fail(Errc::shut_down, "the interpreter exits")) : Result<void>{};
    };
    return options;
}

CancellationToken Runtime::make_token() {
    return CancellationToken::create(io_, io_, system_clock());
}

CancellationToken Runtime::make_token(const CancellationToken& parent) {
    return parent == CancellationToken{} ? make_token() : parent.child();
}

void Runtime::give_up(Watch& watch) noexcept {
    log_caught("runtime", watch.what);
    watch.on.store(false);
}

void Runtime::post(Executor& executor, Watch& watch, void (Runtime::*look)()) noexcept {
    try {
        executor.post([this, look] { (this->*look)(); });
    } catch (...) {
        give_up(watch);
    }
}

template <class Look>
void Runtime::look_and_repeat(Watch& watch, Look look, void (Runtime::*next)()) noexcept {
    const auto goes_on = [&] {
        bool again = true;
        survive("runtime", watch.what, [&] { again = look(); });
        return again;
    };
    bool again = goes_on();
    if (!again) {
        // Whoever came since saw that it is on and relied on this look: look once more.
        watch.on.store(false);
        again = goes_on() && !watch.on.exchange(true);
    }
    if (!again) {
        return;
    }
    try {
        io_.schedule_at(std::chrono::steady_clock::now() + watch.pause, [this, next] { (this->*next)(); });
    } catch (...) {
        give_up(watch);
    }
}

void Runtime::wake_sampler() {
    if (!sampling_.on.exchange(true)) {
        post(io_, sampling_, &Runtime::tick);
    }
}

void Runtime::tick() {
    look_and_repeat(sampling_, [this] { return registry_.sample(); }, &Runtime::tick);
}

void Runtime::wake_tender() {
    if (!tending_.on.exchange(true)) {
        post_tend();
    }
}

void Runtime::post_tend() {
    post(store_, tending_, &Runtime::tend);
    if (!watching_writes_.on.exchange(true)) {
        post(io_, watching_writes_, &Runtime::watch_writes);
    }
}

void Runtime::tend() {
    look_and_repeat(tending_, [this] { return registry_.tend(); }, &Runtime::post_tend);
}

// Not on the store's thread, which may be the one that waits for the disk.
void Runtime::watch_writes() {
    const auto look = [this] {
        registry_.answer_late();
        return tending_.on.load();
    };
    look_and_repeat(watching_writes_, look, &Runtime::watch_writes);
}

void Runtime::watch_owners() {
    if (!watching_owners_.on.exchange(true)) {
        post_look();
    }
}

void Runtime::post_look() {
    post(store_, watching_owners_, &Runtime::look_for_dead_owners);
}

void Runtime::look_for_dead_owners() {
    look_and_repeat(watching_owners_, [this] { return registry_.watch_owners(); }, &Runtime::post_look);
}

bool Runtime::shutdown(std::chrono::milliseconds limit) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + limit;
    {
        const std::scoped_lock lock(making);
        if (closed_.exchange(true)) {
            return true;
        }
    }
    registry_.tokens().cancel_all({CancelCode::shutdown, "the interpreter exits", "runtime"});
    bool quiet = true;
    for (const auto& operation : registry_.live()) {
        quiet = operation->wait_for(deadline - std::chrono::steady_clock::now()) && quiet;
    }
    // Workers may still hand things to the io thread, so it goes last.
    quiet = trainings_.stop(deadline) && quiet;
    quiet = compute_.stop(deadline) && quiet;
    if (tending_.on.load()) {
        store_.post([this, deadline] { registry_.write_kept(patience_until(deadline)); });
    }
    quiet = store_.stop(deadline) && quiet;
    return io_.stop(deadline) && quiet;
}

}  // namespace ktrdr
