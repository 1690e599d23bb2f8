// What is read as safetensors is written and read again as the same, and its weights make a network or are refused.

#include <ktrdr/models/mlp.hpp>
#include <ktrdr/models/safetensors.hpp>

#include <cstring>

#include "fuzz.hpp"

namespace ktrdr::fuzz {
namespace {

bool same(const NamedTensor& a, const NamedTensor& b) {
    // By their bits: a value may be no number.
    return a.name == b.name && a.shape == b.shape && a.values.size() == b.values.size() &&
           (a.values.empty() || std::memcmp(a.values.data(), b.values.data(), a.values.size() * sizeof(float)) == 0);
}

void check(const SafetensorsFile& file, std::size_t size) {
    std::size_t values = 0;
    for (const NamedTensor& tensor : file.tensors) {
        values += tensor.values.size();
    }
    require(values * sizeof(float) <= size, "no more values than bytes");
    const auto again = decode_safetensors(encode_safetensors(file.tensors, file.metadata));
    require(again.has_value() && again->tensors.size() == file.tensors.size(), "what was read can be written");
    for (const NamedTensor& tensor : file.tensors) {
        bool found = false;
        for (const NamedTensor& other : again->tensors) {
            found = found || same(tensor, other);
        }
        require(found, "and is the same then");
    }
    if (const auto network = Mlp::make(file.tensors, "relu")) {
        std::vector<float> row(network->inputs());
        std::vector<float> chances(network->classes());
        Mlp::Scratch scratch;
        network->chances(row, chances, scratch);
    } else {
        require(network.error().code == Errc::invalid_argument, "a refusal says what is wrong");
    }
}

}  // namespace
}  // namespace ktrdr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace ktrdr;
    using namespace ktrdr::fuzz;
    if (const auto file = decode_safetensors({reinterpret_cast<const char*>(data), size})) {
        check(*file, size);
    } else {
        require(file.error().code == Errc::invalid_argument, "a refusal says what is wrong");
    }
    return 0;
}
