#include <ktrdr/runtime/runtime.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include <ktrdr/base/caught.hpp>
#include <ktrdr/base/fork.hpp>
#include <ktrdr/bar_store/bar_store.hpp>

namespace ktrdr {
namespace {

/// Ten pictures a second are as many as a person can read.
constexpr auto sample_interval = std::chrono::milliseconds{100};

/// How soon a cancel from another process is seen.
constexpr auto tend_interval = std::chrono::milliseconds{200};

/// How often processes are looked for that have died.
constexpr auto watch_interval = std::chrono::seconds{2};

constexpr std::string_view sampling = "looking at progress";
constexpr std::string_view tending = "looking after the operations of a store";
constexpr std::string_view watching = "looking for processes that have died";

std::mutex making;
std::atomic<Runtime*> runtime{nullptr};

/// Most of what is left, so that the rest of the end has some of it.
std::chrono::milliseconds patience_until(SteadyTime deadline) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    return std::max(left * 3 / 4, std::chrono::milliseconds{0});
}

/// Whether a look is made again: so it says, or it failed, which the next one may not.
template <class Look>
bool goes_on(std::string_view what, Look look) noexcept {
    bool again = true;
    survive("runtime", what, [&] { again = look(); });
    return again;
}

std::size_t core_count() {
    return std::max(1U, std::thread::hardware_concurrency());
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
      trainings_("ktrdr-train", std::max<std::size_t>(4, core_count())),
      registry_(io_, io_, system_clock()) {}

DataServices Runtime::data_services() {
    return {io_.context(), io_, io_, system_clock(), compute_, store_, registry_};
}

TrainingServices Runtime::training_services() {
    return {io_, system_clock(), trainings_, registry_};
}

HostServiceMeans Runtime::host_service_means() {
    return {io_.context(), {io_, compute_}};
}

Result<std::shared_ptr<Storage>> Runtime::open_storage(const std::filesystem::path& file, FileAccess access) {
    auto storage = Storage::open(file, {BarStore::schema()}, store_, system_clock(), {.access = access});
    if (storage) {
        registry_.attach((*storage)->operations());
        watch_owners();
        (*storage)->operations()->keep_house();
    }
    return storage;
}

CancellationToken Runtime::make_token() {
    return CancellationToken::create(io_, io_, system_clock());
}

CancellationToken Runtime::make_token(const CancellationToken& parent) {
    return parent == CancellationToken{} ? make_token() : parent.child();
}

void Runtime::wake_sampler() {
    if (!sampling_.exchange(true)) {
        io_.post([this] { tick(); });
    }
}

void Runtime::tick() {
    const auto look = [this] { return registry_.sample(); };
    bool again = goes_on(sampling, look);
    if (!again) {
        // A listener that came since saw `sampling_` set and relied on this tick: look once more.
        sampling_.store(false);
        again = goes_on(sampling, look) && !sampling_.exchange(true);
    }
    if (again) {
        repeat(sampling_, sampling, sample_interval, &Runtime::tick);
    }
}

void Runtime::wake_tender() {
    if (!tending_.exchange(true)) {
        post_tend();
    }
}

void Runtime::repeat(std::atomic<bool>& flag, std::string_view what, std::chrono::milliseconds pause,
                     void (Runtime::*next)()) noexcept {
    try {
        io_.schedule_at(std::chrono::steady_clock::now() + pause, [this, next] { (this->*next)(); });
    } catch (...) {
        log_caught("runtime", what);
        flag.store(false);  // The next one who needs it tries again.
    }
}

void Runtime::post_tend() {
    try {
        store_.post([this] { tend(); });
    } catch (...) {
        log_caught("runtime", tending);
        tending_.store(false);  // The next operation tries again.
    }
    if (!watching_writes_.exchange(true)) {
        io_.post([this] { watch_writes(); });
    }
}

// Not on the store's thread, which may be the one that waits for the disk.
void Runtime::watch_writes() {
    survive("runtime", tending, [this] { registry_.answer_late(); });
    bool again = tending_.load();
    if (!again) {
        // As in `tick`.
        watching_writes_.store(false);
        again = tending_.load() && !watching_writes_.exchange(true);
    }
    if (again) {
        repeat(watching_writes_, tending, tend_interval, &Runtime::watch_writes);
    }
}

void Runtime::tend() {
    const auto look = [this] { return registry_.tend(); };
    bool again = goes_on(tending, look);
    if (!again) {
        // As in `tick`.
        tending_.store(false);
        again = goes_on(tending, look) && !tending_.exchange(true);
    }
    if (again) {
        repeat(tending_, tending, tend_interval, &Runtime::post_tend);
    }
}

void Runtime::watch_owners() {
    if (!watching_owners_.exchange(true)) {
        post_look();
    }
}

void Runtime::post_look() {
    try {
        store_.post([this] { look_for_dead_owners(); });
    } catch (...) {
        log_caught("runtime", watching);
        watching_owners_.store(false);  // The next store tries again.
    }
}

void Runtime::look_for_dead_owners() {
    const auto look = [this] { return registry_.watch_owners(); };
    bool again = goes_on(watching, look);
    if (!again) {
        // As in `tick`.
        watching_owners_.store(false);
        again = goes_on(watching, look) && !watching_owners_.exchange(true);
    }
    if (again) {
        repeat(watching_owners_, watching, watch_interval, &Runtime::post_look);
    }
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
    if (tending_.load()) {
        store_.post([this, deadline] { registry_.write_kept(patience_until(deadline)); });
    }
    quiet = store_.stop(deadline) && quiet;
    return io_.stop(deadline) && quiet;
}

}  // namespace ktrdr
