#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <string>

#include <ktrdr/base/result.hpp>

namespace ktrdr {

/// While it lives, LibTorch's kernels called on this thread run on this thread alone. A small network gains nothing
/// from more, and a sum split among threads depends on their number.
///
/// Torch keeps the number a thread at a time, but for a process-wide number that threads start with; that one is put
/// back at once, so a user's own torch keeps its threads.
class OneThread final {
public:
    OneThread();
    ~OneThread();
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;
};

/// The device of a name of `device_names`. `not_available` for one that LibTorch does not see here.
[[nodiscard]] Result<at::Device> find_device(const std::string& name);

/// A generator of the CPU, seeded; its state as bytes, and back.
[[nodiscard]] at::Generator make_generator(std::uint64_t seed);
[[nodiscard]] std::string state_of(const at::Generator& generator);
/// Throws c10::Error for bytes that are no state of such a generator.
void set_state(at::Generator& generator, const std::string& bytes);

}  // namespace ktrdr
