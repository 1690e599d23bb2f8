// What the core's innermost calls cost. Prints one line a figure: a name, a tab, nanoseconds or bytes.
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include <ktrdr/base/manual.hpp>
#include <ktrdr/operations/registry.hpp>

namespace {

using namespace std::chrono_literals;
using namespace ktrdr;
using Clock = std::chrono::steady_clock;

class World {
public:
    [[nodiscard]] CancellationToken token() { return root_.child(); }
    [[nodiscard]] std::shared_ptr<Operation> operation() {
        return Operation::make(OperationSpec{"bench", "op_bench", "", {}}, token(), clock_);
    }
    ManualExecutor& io() { return io_; }

private:
    ManualClock clock_{};
    ManualExecutor io_{};
    ManualTimerQueue timers_{clock_};
    CancellationToken root_ = CancellationToken::create(io_, timers_, clock_);
};

class Nobody final : public OperationListener {
public:
    void on_progress(const ProgressState& state) override { heard += state.sequence; }
    void on_finished() override {}
    std::atomic<std::uint64_t> heard{0};
};

double nanoseconds(Clock::duration time) {
    return std::chrono::duration<double, std::nano>(time).count();
}

void print(const char* name, double value) {
    std::printf("%s\t%.3f\n", name, value);
}

/// The best of some rounds, per call.
template <class Call>
double cost(std::int64_t calls, Call call) {
    double best = 1e18;
    for (int round = 0; round < 7; ++round) {
        const auto began = Clock::now();
        for (std::int64_t i = 0; i < calls; ++i) {
            call(i);
        }
        best = std::min(best, nanoseconds(Clock::now() - began) / static_cast<double>(calls));
    }
    return best;
}

void token_poll() {
    World world;
    const auto token = world.token();
    std::int64_t cancelled = 0;
    print("token poll", cost(50'000'000, [&](std::int64_t) {
              cancelled += token.is_cancelled() ? 1 : 0;
              asm volatile("" ::: "memory");
          }));
    if (cancelled > 0) {
        std::puts("impossible");
    }
}

double update_cost(Operation& operation) {
    ProgressNode& node = operation.progress().outer();
    return cost(5'000'000, [&](std::int64_t i) { node.store({i, 5'000'000, i, 0}); });
}

/// What a training stores after a batch, with as many metrics as there is room for.
double metrics_cost(Operation& operation) {
    operation.progress().set_steps({{"training", 1, {"loss"}}});
    ProgressNode& node = operation.progress().inner();
    ProgressCounts counts{.total = 500, .epoch = 1, .total_epochs = 50, .total_batches = 500};
    counts.metrics.assign(ProgressCounts::metric_limit, 0.5);
    return cost(5'000'000, [&](std::int64_t i) {
        counts.current = counts.batch = i;
        node.store(counts);
    });
}

/// A worker that computes about a microsecond between two updates.
double work_cost(Operation& operation) {
    ProgressNode& node = operation.progress().outer();
    double sum = 0;
    const double per_step = cost(300'000, [&](std::int64_t i) {
        for (int k = 1; k < 300; ++k) {
            sum += 1.0 / static_cast<double>(k + i);
        }
        asm volatile("" : "+x"(sum));
        node.store({i, 300'000, i, 0});
    });
    return per_step;
}

/// `measure` while somebody listens and the sampler runs as it does in the package, ten times a second.
template <class Measure>
double listened(Measure measure) {
    World world;
    const auto operation = world.operation();
    (void)operation->start();
    const auto nobody = std::make_shared<Nobody>();
    operation->add_listener(nobody);
    std::jthread sampler([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            operation->sample();
            std::this_thread::sleep_for(100ms);
        }
    });
    return measure(*operation);
}

template <class Measure>
double alone(Measure measure) {
    World world;
    const auto operation = world.operation();
    (void)operation->start();
    return measure(*operation);
}

void thousand_tokens() {
    double best = 1e18;
    for (int round = 0; round < 20; ++round) {
        World world;
        const auto parent = world.token();
        std::vector<CancellationToken> children;
        std::vector<CancelRegistration> registrations;
        for (int i = 0; i < 1000; ++i) {
            children.push_back(parent.child());
            registrations.push_back(children.back().on_cancel([](const CancelReason&) {}));
        }
        const auto began = Clock::now();
        parent.cancel({CancelCode::user, "bench", "bench"});
        best = std::min(best, nanoseconds(Clock::now() - began));
        world.io().run();
    }
    print("cancel 1000 tokens", best);
}

/// From `cancel` on one thread to the poll that sees it on another.
void cancel_latency() {
    std::vector<double> waits;
    for (int round = 0; round < 2000; ++round) {
        World world;
        const auto token = world.token();
        std::atomic<bool> ready{false};
        Clock::time_point seen{};
        std::thread worker([&] {
            ready = true;
            while (!token.is_cancelled()) {
            }
            seen = Clock::now();
        });
        while (!ready) {
        }
        const auto began = Clock::now();
        token.cancel({CancelCode::user, "bench", "bench"});
        worker.join();
        waits.push_back(nanoseconds(seen - began));
    }
    std::sort(waits.begin(), waits.end());
    print("cancel seen by a C++ loop, p50", waits[waits.size() / 2]);
    print("cancel seen by a C++ loop, p99", waits[waits.size() * 99 / 100]);
}

/// Bytes of the heap per piece, with what the allocator itself takes.
template <class Make>
double heap_bytes(Make make) {
    constexpr std::size_t count = 10'000;
    std::vector<decltype(make())> pieces;
    pieces.reserve(count);
    const std::size_t before = mallinfo2().uordblks;
    for (std::size_t i = 0; i < count; ++i) {
        pieces.push_back(make());
    }
    return static_cast<double>(mallinfo2().uordblks - before) / static_cast<double>(count);
}

/// Memory of an operation that runs: all of it, what the two events are that it has by then, and a step in work.
void live_memory() {
    ManualClock clock;
    ManualExecutor io;
    ManualTimerQueue timers{clock};
    OperationRegistry registry{io, timers, clock};
    const auto running = [&] {
        auto operation = registry.create({.type = "bench"}).value().operation;
        (void)operation->start();
        return operation;
    };
    const double whole = heap_bytes(running);
    const double events = heap_bytes([&] {
        EventLog log;
        for (const auto* status : {"pending", "running"}) {
            log.append({0, clock.utc_now(), OperationEventKind::state, {{"status", status}}, {}});
        }
        return log;
    });
    const double in_step = heap_bytes([&] {
        auto operation = running();
        operation->progress().enter(ProgressRange{"Loading", 1, 0, 100});
        (void)operation->progress().take_edges();
        return operation;
    });
    print("operation bytes", whole - events);
    print("event bytes", events);
    print("step bytes", in_step - whole);
    for (const auto& operation : registry.live()) {
        operation->finish(std::any{});
    }
}

}  // namespace

int main() {
    live_memory();
    token_poll();
    print("update, nobody listens", alone(&update_cost));
    print("update, listened", listened(&update_cost));
    print("update with 16 metrics", alone(&metrics_cost));
    print("work, nobody listens", alone(&work_cost));
    print("work, listened", listened(&work_cost));
    thousand_tokens();
    cancel_latency();
}
