#include "torch_setup.hpp"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <cstring>
#include <mutex>
#include <thread>

namespace ktrdr {
namespace {

std::mutex& thread_count_mutex() {
    static auto* mutex = new std::mutex;
    return *mutex;
}

template <class Function>
void on_new_thread(Function function) {
    std::thread{function}.join();
}

/// The number of kernel threads that a new thread starts with.
int usual_threads() {
    int threads = 1;
    on_new_thread([&] { threads = at::get_num_threads(); });
    return threads;
}

}  // namespace

OneThread::OneThread() {
    const std::lock_guard lock{thread_count_mutex()};
    const int usual = usual_threads();
    // The first question sets this thread up with the usual number; asked later, it would undo the next line.
    static_cast<void>(at::get_num_threads());
    at::set_num_threads(1);
    on_new_thread([usual] { at::set_num_threads(usual); });
}

OneThread::~OneThread() {
    const std::lock_guard lock{thread_count_mutex()};
    at::set_num_threads(usual_threads());
}

Result<at::Device> find_device(const std::string& name) {
    if (name == "auto" || name == "cpu") {
        return at::Device(at::kCPU);
    }
    const bool is_cuda = name == "cuda";
    if (is_cuda ? at::hasCUDA() : at::hasMPS()) {
        return at::Device(is_cuda ? at::kCUDA : at::kMPS);
    }
    return fail(Errc::not_available,
                "Cannot train on the device \"" + name +
                    "\": LibTorch finds none on this machine. Set device to \"cpu\" or \"auto\", or install a torch "
                    "and a driver that have it.",
                {{"device", name}});
}

at::Generator make_generator(std::uint64_t seed) {
    return at::detail::createCPUGenerator(seed);
}

std::string state_of(const at::Generator& generator) {
    const at::Tensor state = generator.get_state();
    const auto* bytes = state.const_data_ptr<std::uint8_t>();
    return {bytes, bytes + state.numel()};
}

void set_state(at::Generator& generator, const std::string& bytes) {
    const at::Tensor state = at::empty({static_cast<std::int64_t>(bytes.size())}, at::kByte);
    std::memcpy(state.mutable_data_ptr<std::uint8_t>(), bytes.data(), bytes.size());
    generator.set_state(state);
}

}  // namespace ktrdr
